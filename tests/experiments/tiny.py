"""A small untrained model and a clip of moving discs, for tests of what is drawn of a model."""

from __future__ import annotations

import torch

from armillary.world_models.model import Window, WorldModel
from armillary.world_models.registry import build_model

CONTEXT, SIZE = 2, 32


def tiny_model(image_size: int = SIZE, action_size: int = 2) -> WorldModel:
    """The same weights every time, shaken so that no layer starts as zeros or as the identity."""
    torch.manual_seed(0)
    model = build_model(
        "slot_dynamics", image_size=image_size, action_size=action_size, num_slots=3
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def tiny_clip(length: int = 7, seed: int = 0) -> Window:
    """A square that moves to the right before a grey background."""
    generator = torch.Generator().manual_seed(seed)
    frames = torch.full((1, length, 3, SIZE, SIZE), 0.8)
    labels = torch.zeros(1, length, SIZE, SIZE, dtype=torch.long)
    color = torch.rand(3, 1, 1, generator=generator)
    for t in range(length):
        frames[0, t, :, 8:16, 2 * t : 2 * t + 8] = color
        labels[0, t, 8:16, 2 * t : 2 * t + 8] = 1
    return Window(frames, torch.randn(1, length - 1, 2, generator=generator), labels)
