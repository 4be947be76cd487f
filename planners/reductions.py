"""How costs over time, and over particles, become one number: strategies with a name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.planners.checks import check
from armillary.suggestions import suggest

Reduction = Callable[[Tensor], Tensor]
"""Removes the last dimension. A NaN among the costs that it looks at makes its result NaN."""


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
    """The mean over time weighted by gamma^t.

    Args:
        gamma: in (0, 1]; 1 is the mean and 0, in the limit, the first step.
    """

    gamma: float

    def __post_init__(self) -> None:
        check("gamma", self.gamma, "in (0, 1]", 0 < self.gamma <= 1)

    def __call__(self, costs: Tensor) -> Tensor:
        """(..., T) -> (...)."""
        weights = costs.new_tensor([self.gamma**t for t in range(costs.shape[-1])])
        return (costs * (weights / weights.sum())).sum(-1)


@dataclass(frozen=True)
class CVaR:
    """Conditional value at risk: the mean of the worst particles (Rockafellar & Uryasev 2000).

    Args:
        alpha: their share in [0, 1], rounded up to whole particles; 1 is the mean, 0 the worst.
    """

    alpha: float

    def __post_init__(self) -> None:
        check("alpha", self.alpha, "in [0, 1]", 0 <= self.alpha <= 1)

    def __call__(self, costs: Tensor) -> Tensor:
        """(..., P) -> (...)."""
        count = max(1, math.ceil(self.alpha * costs.shape[-1]))
        return costs.topk(count, dim=-1).values.mean(-1)


Table = Mapping[str, Reduction | type[Discounted] | type[CVaR]]

TIME: Table = {
    "last": last,
    "mean": mean,
    "least": least,
    "greatest": greatest,
    "discounted": Discounted,
}
RISK: Table = {"mean": mean, "best": least, "worst": greatest, "cvar": CVaR}


def named(spec: str | Reduction, table: Table) -> Reduction:
    """The strategy that ``NAME`` or ``NAME:NUMBER`` stands for, such as ``last`` or ``cvar:0.2``.

    A strategy itself is returned as it is.

    Raises:
        ArmillaryError: there is no such name, or its number is missing, unwanted or out of range.
    """
    if not isinstance(spec, str):
        return spec
    name, _, number = spec.partition(":")
    if name not in table:
        raise ArmillaryError(f"unknown reduction {name!r}; {suggest(name, table)}")
    entry = table[name]
    if not isinstance(entry, type):
        if number:
            raise ArmillaryError(f"the reduction {name!r} takes no number, got {spec!r}")
        return entry
    try:
        value = float(number)
    except ValueError:
        message = f"the reduction {name!r} is written '{name}:NUMBER', got {spec!r}"
        raise ArmillaryError(message) from None
    return entry(value)
