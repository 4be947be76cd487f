"""Carries the identity of slots from one frame to the next where each frame is seen afresh."""

from __future__ import annotations

from torch import Tensor

from armillary.world_models.assignment import columns
from armillary.world_models.slots.state import SlotState


def carried(before: SlotState, found: SlotState, variance: Tensor, extent: float) -> SlotState:
    """What was found, in the order in which it was known before; the background stays first.

    Objects are matched one to one so that the sum of squared differences is least: of contents in
    units of their variance, their mean, and of places in object extents. What is absent is
    matched with what is absent as far as that goes, since both are parked in one place.

    Args:
        before: (N, ...).
        found: (N, ...), as many slots.
        variance: (Z,) of contents.
        extent: of an object, in image widths.
    """
    old, new = (state.map(lambda tensor: tensor[:, 1:]) for state in (before, found))
    content = (old.content.unsqueeze(2) - new.content.unsqueeze(1)).square() / variance
    place = (old.position.unsqueeze(2) - new.position.unsqueeze(1)).square().sum(-1) / extent**2
    chosen = columns(content.mean(-1) + place) + 1

    def reordered(tensor: Tensor) -> Tensor:
        rows = chosen.unsqueeze(-1).expand(-1, -1, tensor.shape[-1])
        ordered = tensor.clone()
        ordered[:, 1:] = tensor.gather(1, rows)
        return ordered

    return found.map(reordered)
