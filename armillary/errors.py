"""The base of every mistake that a user can make; anything else that is raised is a defect."""

from __future__ import annotations


class ArmillaryError(ValueError):
    """What was given cannot be used; the message says what was required, what came, what is valid.

    The command line tells it in a line, with exit code 2. All checks of arguments, files and
    settings in this project raise it or a subclass; it is a ``ValueError`` so that code that
    expects one keeps working.
    """
