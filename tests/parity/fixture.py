"""A recorded run of the authors' code, and how close ours has to come to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

OUTPUT_TOLERANCE, GRADIENT_TOLERANCE = 2e-5, 1e-4
"""Shares of a tensor's largest value."""


@dataclass(frozen=True)
class Check:
    """One comparison: the largest error and the largest that is accepted."""

    name: str
    error: float
    limit: float

    @property
    def passed(self) -> bool:
        """NaN does not pass."""
        return self.error <= self.limit


class Fixture:
    """The arrays of one ``.npz``; see the class's properties for what is where."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with np.load(path, allow_pickle=False) as arrays:
            self.arrays = {name: arrays[name] for name in arrays.files}
        self.is_model = "config_json" in self.arrays
        self.slack: dict[str, list[float]] = self._json("f32_vs_f64", {})
        self.float64: dict[str, float] = self._json("f64_scalars", {})
        self.noise_log: list[dict[str, Any]] = self._json("noise_log", [])

    @property
    def config(self) -> dict[str, Any]:
        """The hyper-parameters under the authors' names."""
        return self._json("config_json", {})

    @property
    def is_trajectory(self) -> bool:
        """Whether it holds training steps rather than one pass."""
        return any(name.startswith("step/") for name in self.arrays)

    def tensor(self, name: str, dtype: torch.dtype = torch.float32) -> Tensor:
        """One array; floating-point ones in ``dtype``."""
        tensor = torch.from_numpy(np.array(self.arrays[name]))
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    def group(self, prefix: str) -> dict[str, Tensor]:
        """All arrays under ``prefix/``, by the rest of their names."""
        start = f"{prefix}/"
        names = [name for name in self.arrays if name.startswith(start)]
        return {name.removeprefix(start): self.tensor(name) for name in names}

    def compare(
        self, name: str, ours: Tensor, tolerance: float, skip: Tensor | None = None
    ) -> Check:
        """Compares with a recorded tensor, to a share of its largest value.

        Three times the error of the authors' own float32 is accepted where that is more.

        Args:
            name: of the recorded array.
            ours: of the same shape.
            tolerance: share of the largest value.
            skip: elements that are left out.
        """
        theirs, ours = self.tensor(name).double(), ours.detach().double()
        if ours.shape != theirs.shape:
            return Check(f"{name} {tuple(ours.shape)}/{tuple(theirs.shape)}", float("nan"), 0.0)
        difference = (ours - theirs).abs()
        if skip is not None:
            difference = difference.masked_fill(skip, 0.0)
        largest = float(theirs.abs().max()) if theirs.numel() else 0.0
        limit = max(tolerance * largest, 3 * self.slack.get(name, [0.0])[0])
        return Check(name, float(difference.max()) if theirs.numel() else 0.0, limit)

    def compare_float64(self, name: str, ours: float, tolerance: float) -> Check:
        """Compares a float64 scalar, relatively; gradients that vanish absolutely."""
        theirs = self.float64[name]
        return Check(f"float64 {name}", abs(ours - theirs), tolerance * max(abs(theirs), 1e-3))

    def _json(self, name: str, default: Any) -> Any:
        return json.loads(str(self.arrays[name])) if name in self.arrays else default
