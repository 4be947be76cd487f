"""How costs over time, and over particles, become one number: strategies with a name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.planners.template.checks import check
from armillary.plugins import broken_note, find, register, registered
from armillary.suggestions import suggest

Reduction = Callable[[Tensor], Tensor]
"""Removes the last dimension. A NaN among the costs that it looks at makes its result NaN."""


@register("reduction", "last")
def last(costs: Tensor) -> Tensor:
    """The cost of the last step."""
    return costs[..., -1]


@register("reduction", "mean")
def mean(costs: Tensor) -> Tensor:
    """The mean over time, or over particles: risk-neutral."""
    return costs.mean(-1)


@register("reduction", "best")
@register("reduction", "least")
def least(costs: Tensor) -> Tensor:
    """The least cost: of any step, or of the luckiest particle."""
    return costs.amin(-1)


@register("reduction", "worst")
@register("reduction", "greatest")
def greatest(costs: Tensor) -> Tensor:
    """The greatest cost: of any step, or of the unluckiest particle."""
    return costs.amax(-1)


@register("reduction", "discounted")
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


@register("reduction", "cvar")
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
        share = round(self.alpha * costs.shape[-1], 9)  # 0.07 of 100 is 7, not a bit more
        count = max(1, math.ceil(share))
        return costs.topk(count, dim=-1).values.mean(-1)


@dataclass(frozen=True)
class Table:
    """The strategies for one dimension: all that are registered but those for the other alone.

    Attributes:
        others: names of those.
    """

    others: tuple[str, ...]

    def names(self) -> list[str]:
        """The names to choose from."""
        return [name for name in registered("reduction") if name not in self.others]


TIME = Table(("best", "worst", "cvar"))
RISK = Table(("last", "least", "greatest", "discounted"))


def named(spec: str | Reduction, table: Table) -> Reduction:
    """The strategy that ``NAME`` or ``NAME:NUMBER`` stands for, such as ``last`` or ``cvar:0.2``.

    A strategy itself is returned as it is.

    Raises:
        ArmillaryError: there is no such name, or the number is missing, unwanted or out of range.
    """
    if callable(spec):
        return spec
    name, _, number = str(spec).partition(":")
    if name not in table.names():
        note = broken_note()
        raise ArmillaryError(f"unknown reduction {name!r}; {suggest(name, table.names())}{note}")
    thing = find("reduction", name).thing
    if not isinstance(thing, type):
        if number:
            raise ArmillaryError(f"the reduction {name!r} takes no number, got {spec!r}")
        return thing
    try:
        value = float(number)
    except ValueError:
        message = f"the reduction {name!r} is written '{name}:NUMBER', got {spec!r}"
        raise ArmillaryError(message) from None
    return thing(value)
