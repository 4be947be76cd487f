"""Objectives of the published models as schedules: one symbol per frame of a clip."""

from __future__ import annotations

import re

from armillary.errors import ArmillaryError

SYMBOLS = ("I", "D", "BMS", "U")
_SCHEDULE = re.compile("(?:BMS|[IDU])+")


def expand(objective: str, context_length: int, length: int) -> tuple[str, ...]:
    """The symbols of a clip's frames.

    The last symbol repeats until the clip ends. An objective without a leading ``I`` comes after a
    context of them: with a context of 2, ``U`` is ``IIU``, and of 5 frames ``IIUUU``.

    Args:
        objective: ``D``, ``IID``, ``IIBMSD``, ...
        context_length: frames of the context.
        length: T, frames of the clip.

    Raises:
        ArmillaryError: the objective is no schedule, is longer than the clip, or does something
            else after rollouts (``U``) have begun.
    """
    if not _SCHEDULE.fullmatch(objective):
        raise ArmillaryError(
            f"unknown objective {objective!r}: it must be a schedule of the symbols "
            f"{', '.join(SYMBOLS)}, for example D, U or IIBMSD"
        )
    symbols = re.findall("BMS|[IDU]", objective)
    if symbols[0] != "I":
        symbols = ["I"] * context_length + symbols
    if len(symbols) > length:
        raise ArmillaryError(
            f"the schedule {objective!r} is for clips of at least {len(symbols)} frames (with a "
            f"context of {context_length}), got {length}"
        )
    symbols += symbols[-1:] * (length - len(symbols))
    if "U" in symbols and set(symbols[symbols.index("U") :]) != {"U"}:
        raise ArmillaryError(
            f"after U every frame is imagined by whole rollouts; got {objective!r}"
        )
    return tuple(symbols)
