"""Tells which slot of a goal's scene shows the thing that a slot of the start's scene shows."""

from __future__ import annotations

import torch
from torch import Tensor

from armillary.world_models.assignment import columns
from armillary.world_models.state import Scene

_UNLIKE = 4.0
"""How unlike what shows nothing is to anything: no less than what shows most different things."""
_SHOWN = 0.05
"""What the greatest value of a slot's mask is above where the slot shows anything."""


def match_slots(start: Scene, end: Scene) -> tuple[Tensor, Tensor, Tensor]:
    """Matches slots one to one by colour and size, so that all together they differ least.

    What shows nothing, there or here, is as like to one thing as to any other. Up to 12 slots
    nothing waits for a device.

    Args:
        start: B scenes of K slots.
        end: B others.

    Returns:
        The ``assignment`` and ``shown`` of a ``Goal``, and (B,) bool, where scenes hold NaN or inf
        and are not matched.
    """
    looks, goal_looks = _appearance(start), _appearance(end)
    distance = (looks.unsqueeze(2) - goal_looks.unsqueeze(1)).square().sum(-1)
    broken = ~distance.isfinite().flatten(1).all(1)
    here, there = (scene.masks.amax((-1, -2, -3)) > _SHOWN for scene in (start, end))
    distance = distance.masked_fill(~(here.unsqueeze(2) & there.unsqueeze(1)), _UNLIKE)
    assignment = columns(distance)
    shown = (there.gather(1, assignment) | ~here).float()
    return assignment, shown, broken


def _appearance(scene: Scene) -> Tensor:
    """(N, K, 4): each slot's mean colour under its mask, and its size as a length."""
    mass = scene.masks.sum((-1, -2, -3)).clamp_min(1e-6)
    color = (scene.components * scene.masks).sum((-1, -2)) / mass.unsqueeze(-1)
    pixels = scene.masks.shape[-1] * scene.masks.shape[-2]
    return torch.cat([color, (mass / pixels).sqrt().unsqueeze(-1)], -1)
