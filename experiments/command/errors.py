"""What a user can do wrong, and how the message helps."""

from __future__ import annotations

from armillary.errors import ArmillaryError, RunError

__all__ = ["RunError", "UsageError"]


class UsageError(ArmillaryError):
    """A mistake on the command line; the message says what to write instead."""
