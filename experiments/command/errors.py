"""What a user can do wrong, and how the message helps."""

from __future__ import annotations

from armillary.errors import ArmillaryError


class UsageError(ArmillaryError):
    """A mistake on the command line; the message says what to write instead."""


class RunError(RuntimeError):
    """A run that cannot go on although nothing is wrong with the program; the message says why."""
