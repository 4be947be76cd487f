"""The action-optimizer contract: find the action sequences of B problems with the lowest scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from armillary.errors import ArmillaryError

Score = Callable[[Tensor], Tensor]
"""Maps candidates (B, S, T, A) to scores (B, S); lower is better."""


@dataclass(frozen=True)
class Bounds:
    """The box that every candidate stays in.

    Attributes:
        low: (A,) least action, finite.
        high: (A,) greatest action, finite, nowhere below ``low``.
    """

    low: Tensor
    high: Tensor

    def __post_init__(self) -> None:
        if self.low.ndim != 1 or self.low.shape != self.high.shape:
            raise ArmillaryError(
                "low and high must be (A,) both, "
                f"got {tuple(self.low.shape)} and {tuple(self.high.shape)}"
            )
        finite = torch.isfinite(self.high - self.low)
        if not (finite & (self.low <= self.high)).all():
            raise ArmillaryError(
                "bounds must be finite with low <= high, "
                f"got low={self.low.tolist()} and high={self.high.tolist()}"
            )


@dataclass(frozen=True)
class Plan:
    """The result of an optimisation.

    Attributes:
        actions: (B, T, A), within the bounds; the best candidate that was ever scored.
        cost: (B,), the score of exactly these actions.
        history: (iterations, B), the best score known after each iteration.
        mean: (B, T, A), the mean of the last distribution.
        elites: (B, E, T, A), good candidates, best first, that may seed the next search.
    """

    actions: Tensor
    cost: Tensor
    history: Tensor
    mean: Tensor
    elites: Tensor


class ActionOptimizer(Protocol):
    """Minimises a score over action sequences; knows nothing of models, costs, environments."""

    def optimize(
        self,
        score: Score,
        init: Tensor,
        bounds: Bounds,
        generators: Sequence[torch.Generator],
        seeds: Tensor | None = None,
    ) -> Plan:
        """Searches around an initial mean.

        Args:
            score: maps (B, S, T, A) to (B, S). A NaN counts as +inf.
            init: (B, T, A) mean of the first samples, a warm start; itself a candidate.
            bounds: of the actions.
            generators: one per problem, so that no plan depends on who shares its batch.
            seeds: (B, E, T, A) further first candidates, such as the last plan's elites.

        Raises:
            ArmillaryError: shapes disagree, or every candidate of a problem scored NaN or inf.
        """
        ...
