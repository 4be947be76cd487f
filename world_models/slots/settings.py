"""What the settings of ``SlotDynamics`` may be, and what they must be together."""

from __future__ import annotations

from collections.abc import Sequence

from armillary.errors import ArmillaryError
from armillary.suggestions import suggest

PREDICTORS = ("copy", "dynamics", "rediscover")
UNITS = ("one", "variance")
BACKGROUNDS = ("color", "image")


def check_sizes(image_size: int, tokens: int, num_slots: int) -> None:
    """Raises ArmillaryError unless tokens divide the image and an object has a slot."""
    if image_size % tokens or image_size < 2 * tokens:
        raise ArmillaryError(
            f"image_size must be a multiple of {tokens}, at least {2 * tokens}, got {image_size}"
        )
    if num_slots < 2:
        raise ArmillaryError(f"num_slots must count the background and an object, got {num_slots}")


def check_choice(name: str, given: str, choices: Sequence[str]) -> None:
    """Raises ArmillaryError unless the setting ``name`` is one of its choices."""
    if given not in choices:
        raise ArmillaryError(f"unknown {name} {given!r}; {suggest(given, choices)}")


def check_numbers(
    action_size: int,
    points: Sequence[Sequence[int]],
    readout: Sequence[Sequence[int]],
    displacement: Sequence[int],
) -> None:
    """Raises ArmillaryError unless groups name numbers of the action and fit each other."""
    if readout and displacement:
        raise ArmillaryError("handles are learned from readout or from displacement, not both")
    for name, groups in (
        ("points", points),
        ("readout", readout),
        ("displacement", [displacement]),
    ):
        wrong = [i for group in groups for i in group if not 0 <= i < action_size]
        if wrong:
            raise ArmillaryError(
                f"{name} must name numbers of the action, 0 to {action_size - 1}, got {wrong[0]}"
            )
    sizes = {len(group) for group in [*readout, *points]}
    if readout and (len(readout) > 2 or len(sizes) > 1):
        raise ArmillaryError(
            "readout must be one group of numbers, or two, of as many as those of points, got "
            f"{[list(group) for group in readout]}"
        )


def check_handles(learned: bool, readout_layers: int, in_scene: bool) -> None:
    """Raises ArmillaryError where something needs handles and none are learned."""
    if readout_layers < 0 or (readout_layers > 0 and not learned):
        raise ArmillaryError(
            "readout_layers must be at least 0, and 0 where handles are learned from neither "
            f"readout nor displacement, got {readout_layers}"
        )
    if in_scene and not learned:
        raise ArmillaryError(
            "in_scene needs handles, learned from readout or displacement; got neither"
        )
