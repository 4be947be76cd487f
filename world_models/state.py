"""The two values that every world model exchanges: a latent state and a decoded scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Self, TypeVar

import torch
from torch import Tensor


@dataclass(frozen=True)
class LatentState:
    """What a model remembers of a scene: tensors that share their leading dimension N.

    A model subclasses it with one tensor field per quantity, each shaped (N, ...). The fields are
    private to the model; everybody else moves states around with the methods below.
    """

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Applies ``function`` to every tensor and returns the new state."""
        return type(self)(**{name: function(tensor) for name, tensor in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        """The fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def repeat(self, count: int) -> Self:
        """Repeats each of the N states ``count`` times in a row: (N, ...) -> (N * count, ...)."""
        return self.map(lambda tensor: tensor.repeat_interleave(count, dim=0))

    def index(self, rows: Tensor | slice | Sequence[int]) -> Self:
        """Selects along the leading dimension."""
        return self.map(lambda tensor: tensor[rows])

    def reshape(self, *shape: int) -> Self:
        """Reshapes the leading dimension: (N, ...) -> (\\*shape, ...)."""
        return self.map(lambda tensor: tensor.reshape(*shape, *tensor.shape[1:]))

    def flatten(self, dims: int) -> Self:
        """Merges the first ``dims`` dimensions into one."""
        return self.map(lambda tensor: tensor.flatten(0, dims - 1))

    def to(self, device: torch.device | str) -> Self:
        """Moves every tensor to ``device``."""
        return self.map(lambda tensor: tensor.to(device))

    def detach(self) -> Self:
        """Cuts every tensor from the autograd graph."""
        return self.map(Tensor.detach)

    @property
    def requires_grad(self) -> bool:
        """Whether any tensor is part of an autograd graph."""
        return any(tensor.requires_grad for tensor in self.tensors().values())

    def nan_rows(self) -> Tensor:
        """(N,) bool: where any tensor holds NaN; what is decoded from it may look like a number."""
        found = [t.isnan().unsqueeze(-1).flatten(1).any(1) for t in self.tensors().values()]
        return torch.stack(found).any(0)

    def __len__(self) -> int:
        return len(next(iter(self.tensors().values())))

    @classmethod
    def stack(cls, states: Sequence[Self], dim: int = 0) -> Self:
        """Stacks states along a new dimension ``dim``."""
        names = [field.name for field in fields(cls)]
        return cls(**{n: torch.stack([getattr(s, n) for s in states], dim) for n in names})

    @classmethod
    def cat(cls, states: Sequence[Self], dim: int = 0) -> Self:
        """Concatenates states along dimension ``dim``."""
        names = [field.name for field in fields(cls)]
        return cls(**{n: torch.cat([getattr(s, n) for s in states], dim) for n in names})


State = TypeVar("State", bound=LatentState)
"""The state of one model: what it encodes to, steps and decodes."""


@dataclass(frozen=True)
class Scene:
    """A decoded scene: what each slot looks like and where it is seen.

    Attributes:
        components: (..., K, 3, H, W) float32 in [0, 1], the appearance of each slot.
        masks: (..., K, 1, H, W) float32 in [0, 1], summing to 1 over K. A model that does not
            segment has K = 1 and masks of ones.
    """

    components: Tensor
    masks: Tensor

    @cached_property
    def frames(self) -> Tensor:
        """The composed image, (..., 3, H, W) in [0, 1]."""
        return (self.components * self.masks).sum(-4)

    @property
    def labels(self) -> Tensor:
        """The slot that wins each pixel, (..., H, W) int64 in [0, K)."""
        return self.masks.squeeze(-3).argmax(-3)

    def map(self, function: Callable[[Tensor], Tensor]) -> Scene:
        """Applies ``function`` to both tensors."""
        return Scene(function(self.components), function(self.masks))


def mask_centroids(masks: Tensor) -> Tensor:
    """Centre of mass of each mask.

    Args:
        masks: (..., K, 1, H, W), non-negative.

    Returns:
        (..., K, 2): x to the right and y downwards, in [0, 1] of the image's width and height.
        A mask without mass is placed in the middle.
    """
    *_, height, width = masks.shape
    rows = (torch.arange(height, device=masks.device, dtype=masks.dtype) + 0.5) / height
    columns = (torch.arange(width, device=masks.device, dtype=masks.dtype) + 0.5) / width
    weights = masks.squeeze(-3)
    mass = weights.sum((-1, -2))
    x = (weights.sum(-2) * columns).sum(-1)
    y = (weights.sum(-1) * rows).sum(-1)
    centroids = torch.stack([x, y], -1) / mass.clamp_min(1e-6).unsqueeze(-1)
    return torch.where(mass.unsqueeze(-1) > 1e-6, centroids, torch.full_like(centroids, 0.5))
