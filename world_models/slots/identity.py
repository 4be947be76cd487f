"""Carries the identity of slots from one frame to the next where each frame is seen afresh."""

from __future__ import annotations

from torch import Tensor

from armillary.world_models.assignment import columns
from armillary.world_models.slots.state import SlotState

_UNLIKE = 4.0
"""The difference by which things count as half unlike: two standard deviations."""


def carried(before: SlotState, found: SlotState, variance: Tensor, extent: float) -> SlotState:
    """What was found, in the order in which it was known before; the background stays first.

    Objects are matched one to one by d, the mean squared difference of contents in units of their
    variance and the squared distance of places in object extents: the sum of d / (d + 4) is least.
    What has changed out of recognition, as by turning, so costs no more than 1 and is found by what
    the others are. What is absent is matched with what is absent as far as that goes, since both
    are parked in one place.

    Args:
        before: (N, ...).
        found: (N, ...), as many slots.
        variance: (Z,) of the contents of what looks alike.
        extent: of an object, in image widths.
    """
    old, new = (state.map(lambda tensor: tensor[:, 1:]) for state in (before, found))
    content = (old.content.unsqueeze(2) - new.content.unsqueeze(1)).square() / variance
    place = (old.position.unsqueeze(2) - new.position.unsqueeze(1)).square().sum(-1) / extent**2
    apart = content.mean(-1) + place
    chosen = columns(apart / (apart + _UNLIKE)) + 1

    def reordered(tensor: Tensor) -> Tensor:
        rows = chosen.unsqueeze(-1).expand(-1, -1, tensor.shape[-1])
        ordered = tensor.clone()
        ordered[:, 1:] = tensor.gather(1, rows)
        return ordered

    return found.map(reordered)
