"""A metric: the mean absolute error of imagined frames."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from armillary.plugins import register


@dataclass(frozen=True)
class AbsoluteError:
    """What the table of metrics says of it, and how it is computed."""

    label: str = "mean absolute error"
    unit: str = ""
    digits: int = 4
    higher_is_better: bool = False

    def __call__(self, pred: Tensor, true: Tensor) -> Tensor:
        """(N, R, T, 3, H, W) and (N, 1, T, 3, H, W), in [0, 1] -> (N, R, T)."""
        return (pred - true).abs().mean((-1, -2, -3))


register("metric", "example_plugin")(AbsoluteError())
