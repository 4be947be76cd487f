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
        choices: empty where actions are continuous. Where they are discrete, the numbers of options
            n_g of each of G choices: their one-hot vectors side by side (A is the sum of n_g, see
            ``one_hot``) or a number from ``low`` to ``high`` for each (A = G, see ``index``).
    """

    low: Tensor
    high: Tensor
    choices: tuple[int, ...] = ()

    @staticmethod
    def one_hot(*sizes: int) -> Bounds:
        """The bounds of choices among so many options each, written as one-hot vectors."""
        return Bounds(torch.zeros(sum(sizes)), torch.ones(sum(sizes)), sizes)

    @staticmethod
    def index(*sizes: int) -> Bounds:
        """The bounds of choices among so many options each, written as a number from 0 on."""
        high = torch.tensor(sizes, dtype=torch.float32) - 1
        return Bounds(torch.zeros(len(sizes)), high, sizes)

    @property
    def is_one_hot(self) -> bool:
        """Whether the choices are written as one-hot vectors."""
        unit = bool((self.low == 0).all() and (self.high == 1).all())
        return unit and sum(self.choices) == len(self.low) and not self._are_numbers()

    def _are_numbers(self) -> bool:
        sizes = (self.high - self.low + 1).tolist()
        return sizes == [float(size) for size in self.choices]

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
        if self.choices and not (self._are_numbers() or self.is_one_hot):
            raise ArmillaryError(
                f"choices {self.choices} need {sum(self.choices)} actions (one-hot) or "
                f"{len(self.choices)} that are numbers with as many values, got "
                f"low={self.low.tolist()} and high={self.high.tolist()}"
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
        evaluations: (B,) int64, candidates scored for each problem, and what else was asked of the
            model in as many. With a gradient one counts as one, though it takes about three times
            as long.
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

    ``search.Search`` is the template that ours are made from. One whose scores must carry a
    gradient may say ``differentiates = True``: then benchmarks refuse it beside the true physics,
    which have none, before anything is played. One that does not suit every task or model may have
    ``check_problem(simulator, bounds, horizon)``, which raises ArmillaryError: agents call it when
    they are made.
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
                NaN and -inf count as +inf, which always loses. Agents give a ``Situation``.
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
