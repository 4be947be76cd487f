"""Carries the identity of slots from one frame to the next where each frame is seen afresh."""

from __future__ import annotations

import torch
from torch import Tensor

from armillary.world_models.assignment import columns
from armillary.world_models.slots.state import SlotState, are_present

_UNLIKE = 4.0
"""The difference by which things count as half unlike: two standard deviations."""


def carried(
    before: SlotState, found: SlotState, variance: Tensor, extent: float, unlike: float = 0.0
) -> SlotState:
    """What was found, in the order in which it was known before; the background stays first.

    Objects are matched one to one by d, the mean squared difference of contents in units of their
    variance and the squared distance of places in object extents: the sum of d / (d + 4) is least.
    What has changed out of recognition, as by turning, so costs no more than 1 and is found by what
    the others are. What is absent is matched with what is absent as far as that goes, since both
    are parked in one place.

    With ``unlike`` above 0 things are permanent: what is matched with nothing, or with something
    that differs by more than that, is hidden; it stays as it is before, and what was matched with
    it is dropped. What is new takes the place of what is absent.

    Args:
        before: (N, ...).
        found: (N, ...), as many slots.
        variance: (Z,) of the contents of what looks alike.
        extent: of an object, in image widths.
        unlike: d above which what is matched is another thing; 0 for nothing.
    """
    old, new = (state.map(lambda tensor: tensor[:, 1:]) for state in (before, found))
    content = (old.content.unsqueeze(2) - new.content.unsqueeze(1)).square() / variance
    place = (old.position.unsqueeze(2) - new.position.unsqueeze(1)).square().sum(-1) / extent**2
    apart = content.mean(-1) + place
    chosen = columns(apart / (apart + _UNLIKE)) + 1

    def reordered(tensor: Tensor) -> Tensor:
        rows = chosen.view(*chosen.shape, *[1] * (tensor.ndim - 2))
        ordered = tensor.clone()
        ordered[:, 1:] = tensor.gather(1, rows.expand(-1, -1, *tensor.shape[2:]))
        return ordered

    matched = found.map(reordered)
    if not unlike > 0:
        return matched
    there, here = are_present(old.position), are_present(matched.position[:, 1:])
    alike = apart.gather(2, (chosen - 1).unsqueeze(-1)).squeeze(-1) <= unlike
    hidden = there & ~(here & alike)
    hidden = torch.cat([torch.zeros_like(hidden[:, :1]), hidden], 1).unsqueeze(-1)
    return SlotState(
        torch.where(hidden, before.content, matched.content),
        torch.where(hidden, before.position, matched.position),
        torch.where(hidden, before.motion, matched.motion),
        matched.found.masked_fill(hidden.squeeze(-1), 0.0),
    )
