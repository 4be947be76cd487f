"""A transformer over the patches of the last frames that predicts those of the next."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_NEVER = -1e9


class PatchPredictor(nn.Module):
    """Attention over space and time, causal by frames (DINO-WM, 2411.04983, sec. 3.2).

    A patch attends to all patches of its own frame and of those before. Place is a learned vector;
    time is a learned bias of each head on how many frames lie between two patches (as in T5, Raffel
    et al. 2020), so that what is predicted does not depend on where in the history a frame stands.
    What is predicted is the change, none in the beginning.

    Args:
        feature_size: E, numbers of a patch.
        action_size: A.
        frames: F, the most that a history has.
        places: P, patches of a frame.
        width: of the transformer.
        depth: its layers.
        heads: its attention heads.
    """

    def __init__(
        self,
        feature_size: int,
        action_size: int,
        frames: int,
        places: int,
        width: int,
        depth: int,
        heads: int,
    ) -> None:
        super().__init__()
        self.places = places
        self.of_patch = nn.Linear(feature_size, width)
        self.of_action = nn.Linear(action_size, width)
        self.of_place = nn.Parameter(0.02 * torch.randn(places, width))
        self.layers = nn.ModuleList([_Layer(width, heads, frames) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.change = nn.Linear(width, feature_size)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)
        step = torch.arange(frames)
        age = step[:, None] - step
        self.age: Tensor
        self.later: Tensor
        self.register_buffer("age", age.clamp_min(0), persistent=False)
        self.register_buffer("later", torch.where(age < 0, _NEVER, 0.0), persistent=False)

    def forward(self, patches: Tensor, actions: Tensor, seen: Tensor, newest: bool) -> Tensor:
        """The patches after each frame, or after the newest one alone.

        Args:
            patches: (N, F, P, E), the oldest frame first.
            actions: (N, F, A) normalised; ``actions[:, t]`` leads from frame t to the next.
            seen: (N, F), 1 for the frames that there are and 0 for those that nobody looks at.
            newest: whether only what follows the newest frame is wanted.

        Returns:
            (N, F, P, E), or (N, 1, P, E).
        """
        frames = patches.shape[1]
        tokens = self.of_patch(patches) + self.of_place + self.of_action(actions).unsqueeze(2)
        tokens = tokens.flatten(1, 2)
        unseen = (1.0 - seen)[:, None, None] * _NEVER
        for i, layer in enumerate(self.layers):
            asking = 1 if newest and i == len(self.layers) - 1 else frames
            rows = slice(frames - asking, frames)
            closed = self.later[rows, :frames] + unseen
            tokens = layer(tokens, self.age[rows, :frames], closed, self.places)
        kept = tokens.shape[1] // self.places
        change = self.change(self.norm(tokens)).unflatten(1, (kept, self.places))
        return patches[:, -kept:] + change


class _Layer(nn.Module):
    """Attention and a network of two layers, both on normalised inputs and added to them."""

    def __init__(self, width: int, heads: int, frames: int) -> None:
        super().__init__()
        self.heads = heads
        self.by_age = nn.Parameter(torch.zeros(heads, frames))
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.join = nn.Linear(width, width)
        self.think = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, tokens: Tensor, age: Tensor, closed: Tensor, places: int) -> Tensor:
        """The patches of the last G of F frames, after they have asked all.

        Args:
            tokens: (N, F P, W).
            age: (G, F) int64, frames from the one that is asked to the one that asks.
            closed: (N, 1, G, F), 0 where a frame may ask another.
            places: P.

        Returns:
            (N, G P, W).
        """
        asking, frames = age.shape
        normed, tokens = self.norm(tokens), tokens[:, -asking * places :]
        query = self._split(self.query(normed[:, -asking * places :]))
        key, value = (self._split(part) for part in self.key_value(normed).chunk(2, -1))
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        bias = self.by_age[:, age] + closed
        of_frames = scores.unflatten(3, (frames, places)).unflatten(2, (asking, places))
        scores = (of_frames + bias[:, :, :, None, :, None]).flatten(4, 5).flatten(2, 3)
        seen = F.softmax(scores, -1) @ value
        tokens = tokens + self.join(seen.transpose(1, 2).flatten(2))
        return tokens + self.think(tokens)

    def _split(self, tokens: Tensor) -> Tensor:
        """(N, M, W) -> (N, heads, M, W / heads)."""
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)
