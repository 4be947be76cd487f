"""A reduction: a quantile of the costs, over time or over particles."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from armillary import ArmillaryError
from armillary.plugins import register


@register("reduction", "example_plugin")
@dataclass(frozen=True)
class Quantile:
    """The cost that a share of the others does not exceed; ``example_plugin:0.5`` is the median.

    Args:
        share: in [0, 1].
    """

    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ArmillaryError(f"share must be in [0, 1], got {self.share}")

    def __call__(self, costs: Tensor) -> Tensor:
        """(..., T) -> (...)."""
        return costs.quantile(self.share, dim=-1)
