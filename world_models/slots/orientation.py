"""How things lie, learned from frames that are turned: nobody tells an angle."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from armillary.determinism import sampled
from armillary.world_models.model import Losses
from armillary.world_models.slots.state import SlotState, are_present

_NEAR = 0.05
"""How far from its turned place a thing is still found, in image widths; what was cut is not."""


class Orientation(nn.Module):
    """Contents to vectors that turn with the thing, of length 1 where it can be told how it lies.

    A frame seen from above that is turned by a known angle shows the same things, each turned by
    that angle: the vector o of a thing and o' of the same thing in the turned frame are trained to
    be R o = o', by the least of |o|^4 + |o'|^4 - 4 o' R o. Of a thing that looks alike when it is
    turned, o' and R o have nothing to do with each other, and the least is at 0.

    Args:
        content_size: Z.
        hidden: width.
    """

    def __init__(self, content_size: int, hidden: int = 64) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(content_size, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2),
        )

    def forward(self, content: Tensor) -> Tensor:
        """(..., Z) -> (..., 2)."""
        return self.net(content)

    def loss(self, state: SlotState, after: SlotState, angle: Tensor) -> Losses:
        """Of the objects in N frames and in the same frames turned about their middle.

        Args:
            state: (N, ...).
            after: (N, ...) of the turned frames, slot by slot the same things.
            angle: (N,) by which they were turned, in radians, from x towards y.
        """
        before, later = (self(one.content[:, 1:]) for one in (state, after))
        places, found = state.position[:, 1:], after.position[:, 1:]
        meant = 0.5 + turned(places - 0.5, angle)
        known = ((meant - found).norm(dim=-1) < _NEAR) & are_present(places) & are_present(found)
        agreed = (turned(before, angle) * later).sum(-1)
        lengths = before.square().sum(-1).square() + later.square().sum(-1).square()
        share = known / known.sum().clamp_min(1)
        total = ((lengths - 4.0 * agreed) * share).sum()
        return Losses(total, {"agreement": (agreed.detach() * share).sum()})


def turned(vectors: Tensor, angle: Tensor) -> Tensor:
    """(N, K, 2) turned by angles (N,) in radians, from x towards y."""
    cosine, sine = angle.cos().unsqueeze(-1), angle.sin().unsqueeze(-1)
    x, y = vectors.unbind(-1)
    return torch.stack([cosine * x - sine * y, sine * x + cosine * y], -1)


def turned_frames(frames: Tensor, angle: Tensor) -> Tensor:
    """(N, 3, H, W) turned about their middle; where nothing is known, as at the nearest edge."""
    size = frames.shape[-1]
    axis = (torch.arange(size, device=frames.device) + 0.5) * (2.0 / size) - 1.0
    grid = torch.cartesian_prod(axis, axis).flip(-1).expand(len(frames), -1, -1)
    inside = 1.0 - 1.0 / size
    places = turned(grid, -angle).clamp(-inside, inside)
    return sampled(frames, places.unflatten(1, (size, size)))


def random_angles(like: Tensor) -> Tensor:
    """(N,) uniform over a turn, for N = len(like), on its device."""
    return 2.0 * math.pi * torch.rand(len(like), device=like.device)
