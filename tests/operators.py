"""The operators that a block computes, and those that are refused where bits must be the same."""

from __future__ import annotations

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

REFUSED = (
    "adaptive_avg_pool2d_backward",
    "adaptive_max_pool2d",
    "avg_pool3d_backward",
    "cumsum",
    "grid_sampler_2d_backward",
    "grid_sampler_3d",
    "histc",
    "kthvalue",
    "max_pool3d_with_indices_backward",
    "median",
    "nll_loss2d",
    "put_",
    "reflection_pad",
    "replication_pad",
    "scatter_reduce",
    "upsample_",
)
"""Operators for which torch has no deterministic kernel on CUDA, by how their names begin."""

UNORDERED = (
    *("bmm", "convolution", "embedding_dense_backward", "gather_backward", "index_add"),
    *("index_copy", "index_put", "mm", "put_", "repeat_interleave", "scatter"),
)
"""Those that have one, and others which torch may take on CUDA while nobody asks for it."""


class Operators(TorchDispatchMode):
    """Remembers the names of all that is computed, backward too."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any | None = None
    ) -> Any:
        self.names.add(func.__name__)
        return func(*args, **(kwargs or {}))

    @property
    def refused(self) -> set[str]:
        return {name for name in self.names if name.startswith(REFUSED)}
