"""Which slot shows which true thing: things that are lost in the background, or merged."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from armillary.experiments.evaluation.diagnosis.evidence import Sight

_SEEN = 4
"""Pixels of a thing that can be seen."""


def overlaps(masks: Tensor, true: Tensor) -> Tensor:
    """The share of each true thing's pixels that each slot shows.

    Args:
        masks: (N, S, 1, H, W) of slots, in [0, 1].
        true: (N, K, 1, H, W) of things, 0 or 1.

    Returns:
        (N, K, S); zeros for a thing that cannot be seen.
    """
    area = true.sum((-1, -2, -3))
    shared = true.flatten(2) @ masks.to(true).flatten(2).transpose(1, 2)
    seen = (area >= _SEEN).unsqueeze(-1)
    return torch.where(seen, shared / area.clamp_min(1.0).unsqueeze(-1), 0.0)


def matched(shares: Tensor) -> Tensor:
    """(N, K, S) shares -> (N, K) int64: a slot of its own for each thing, -1 for none."""
    found = torch.full(shares.shape[:2], -1)
    for row, share in enumerate(shares.numpy()):
        things, slots = linear_sum_assignment(-share)
        kept = share[things, slots] > 0
        found[row, torch.from_numpy(things[kept])] = torch.from_numpy(slots[kept])
    return found


def sight_of(shares: Iterable[Tensor]) -> Sight:
    """How things are seen, the background being the first of them.

    Args:
        shares: of ``overlaps``, of moments.
    """
    things = lost = merged = 0
    for share in shares:
        slot = share.argmax(2)
        seen = share.sum(2) > 0
        there = seen[:, 1:]
        alone = slot[:, 1:, None] == slot[:, None, 1:]
        others = (alone & there[:, None]).sum(2) > 1
        gone = there & (slot[:, 1:] == slot[:, :1]) & seen[:, :1]
        things += int(there.sum())
        lost += int(gone.sum())
        merged += int((there & others & ~gone).sum())
    return Sight(things=things, lost=lost / max(things, 1), merged=merged / max(things, 1))
