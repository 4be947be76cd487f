"""How widely a model's convolutions work at a time, to hold bounds on memory."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Widest(TorchDispatchMode):
    """While it is entered, notes how many images a convolution took.

    Attributes:
        batch: the most of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.batch = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten.convolution.default:
            self.batch = max(self.batch, len(args[0]))
        return func(*args, **(kwargs or {}))
