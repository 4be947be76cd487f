"""Tells scenes that seem to hold more things than a model has slots."""

from __future__ import annotations

import logging

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from armillary.world_models.imagine import Imaginer
from armillary.world_models.state import State

log = logging.getLogger(__name__)

_MISSING, _PATCH = 0.5, 0.1
"""A thing that no slot shows: the distance of colours in [0, 1], and the side in image widths."""


def crowded(core: Imaginer[State], belief: State, frames: Tensor) -> Tensor:
    """(N,) bool: whether something is seen in frames (N, 3, H, W) that no slot shows.

    It is where the reconstruction is of another colour in a patch as large as a small thing.
    """
    error = (core.frames(belief) - frames).square().sum(1, keepdim=True).sqrt()
    side = max(1, round(_PATCH * frames.shape[-1]))
    return avg_pool2d(error, side, 1).amax((-1, -2, -3)) > _MISSING


def warn_if_crowded(core: Imaginer[State], belief: State, frames: Tensor) -> None:
    """Warns of scenes that are ``crowded``; models of one slot show everything in it."""
    slots = core.model.num_slots
    found = int(crowded(core, belief, frames).sum()) if slots > 1 else 0
    if found:
        log.warning(
            "%d of %d scenes seem to hold more things than the model's %d slots, the background "
            "included; num_slots=%d or more, one for each thing and one for the background, gives "
            "it as many",
            *(found, len(frames), slots, slots + 1),
        )


def look(core: Imaginer[State], frames: Tensor) -> None:
    """Warns of first frames (N, 3, H, W) that are crowded."""
    frames = frames.to(core.device)
    with torch.no_grad():
        still = frames.new_zeros(len(frames), core.model.action_size)
        warn_if_crowded(core, core.observe(None, still, frames), frames)
