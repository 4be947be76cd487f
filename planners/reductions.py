"""How costs over time and over particles become one number, as named strategies."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from torch import Tensor

Reduction = Callable[[Tensor], Tensor]
"""Removes the last dimension."""


def last(costs: Tensor) -> Tensor:
    """The cost of the last step."""
    return costs[..., -1]


def mean(costs: Tensor) -> Tensor:
    """The mean over time, or over particles: risk-neutral."""
    return costs.mean(-1)


def least(costs: Tensor) -> Tensor:
    """The least cost: of any step, or of the luckiest particle."""
    return costs.amin(-1)


def greatest(costs: Tensor) -> Tensor:
    """The greatest cost: of any step, or of the unluckiest particle."""
    return costs.amax(-1)


@dataclass(frozen=True)
class Discounted:
    """Sum over time weighted by gamma^t, weights adding to 1.

    Args:
        gamma: in (0, 1].
    """

    gamma: float

    def __post_init__(self) -> None:
        if not 0.0 < self.gamma <= 1.0:
            raise ValueError(f"gamma must be in (0, 1], got {self.gamma}")

    def __call__(self, costs: Tensor) -> Tensor:
        """(..., T) -> (...)."""
        steps = costs.new_tensor([self.gamma**t for t in range(costs.shape[-1])])
        return costs @ (steps / steps.sum())


@dataclass(frozen=True)
class CVaR:
    """Conditional value at risk: the mean of the worst particles (Rockafellar & Uryasev 2000).

    Args:
        alpha: their share in [0, 1]; 1 is the mean and 0 the worst case.
    """

    alpha: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.alpha <= 1.0:
            raise ValueError(f"alpha must be in [0, 1], got {self.alpha}")

    def __call__(self, costs: Tensor) -> Tensor:
        """(..., P) -> (...)."""
        count = max(1, math.ceil(self.alpha * costs.shape[-1]))
        return costs.topk(count, dim=-1).values.mean(-1)


TIME: dict[str, Reduction] = {"last": last, "mean": mean, "least": least, "greatest": greatest}
RISK: dict[str, Reduction] = {"mean": mean, "best": least, "worst": greatest}


def named(name: str | Reduction, table: dict[str, Reduction]) -> Reduction:
    """Looks a strategy up; one that is a function already is returned as it is.

    Raises:
        ValueError: the name is not in the table.
    """
    if not isinstance(name, str):
        return name
    if name not in table:
        close = get_close_matches(name, table, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"unknown reduction {name!r}{hint} Choose from {', '.join(table)}")
    return table[name]
