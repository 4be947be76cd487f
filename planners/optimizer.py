"""The action-optimizer contract: find the action sequences of B problems with the lowest scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from armillary.errors import ArmillaryError

Score = Callable[[Tensor], Tensor]
"""Maps candidates (B, S, T, A) to scores (B, S); lower is better.

Where the candidates require a gradient, the scores carry one if the simulator can.
"""


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
        spread: (B, T, A), the standard deviation that is left in it, in the actions' units.
        elites: (B, E, T, A), good candidates, best first, to propose to the next search.
        evaluations: (B,) int64, candidates scored for each problem. With a gradient one counts as
            one, though it takes about three times as long.
    """

    actions: Tensor
    cost: Tensor
    history: Tensor
    mean: Tensor
    spread: Tensor
    elites: Tensor
    evaluations: Tensor


class ActionOptimizer(Protocol):
    """Minimises a score over action sequences; knows nothing of models, costs, environments.

    ``search.Search`` is the template that ours are made from.
    """

    def optimize(
        self,
        score: Score,
        init: Tensor,
        bounds: Bounds,
        generators: Sequence[torch.Generator],
        proposals: Tensor | None = None,
    ) -> Plan:
        """Searches around an initial mean.

        Args:
            score: maps (B, S, T, A), of the type and on the device of ``init``, to (B, S) of any.
                NaN and -inf count as +inf, which always loses.
            init: (B, T, A) mean of the first samples, a warm start; itself a candidate.
            bounds: of the actions, of any type and on any device.
            generators: one per problem, so that no plan depends on who shares its batch.
            proposals: (B, E, T, A) further first candidates, such as the last plan's elites, of
                any type and on any device.

        Raises:
            ArmillaryError: shapes disagree, ``init`` is not of floating point, no candidate of a
                problem has a finite score, or a gradient is wanted and the score has none.
        """
        ...
