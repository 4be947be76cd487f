"""Planners without a search: what is proposed is scored once, and the best of it is the plan."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from armillary.planners.optimizer import Bounds, Plan, Score
from armillary.planners.proposals.sources import Proposals, Source, Wanted
from armillary.planners.situation import situated
from armillary.planners.template.problem import Problem
from armillary.planners.template.search import best
from armillary.world_models.simulator import Simulator


@dataclass(frozen=True, kw_only=True)
class ProposalsAlone(ABC):
    """Scores what one source proposes, beside what is left of the last plan.

    Attributes:
        proposals_from: what the source reads: a run of ``train-proposals``, or the name of a
            bundled checkpoint; None takes those of ``stored.BUNDLED``, and in a command those that
            lie beside the model's checkpoint.
    """

    planner: ClassVar[str]

    proposals_from: str | None = None

    def __post_init__(self) -> None:
        _ = self._proposals  # what is missing is told before anything is planned

    @property
    @abstractmethod
    def source(self) -> Source:
        """What proposes."""

    @cached_property
    def _proposals(self) -> Proposals:
        return Proposals([self.source], self.proposals_from)

    def check_problem(self, simulator: Simulator, bounds: Bounds, horizon: int) -> None:
        """See ``ActionOptimizer``.

        Raises:
            ArmillaryError: what is proposed is of another model, size, or horizon, of wider bounds,
                or less than is wanted.
        """
        self._proposals.check(simulator, Wanted(horizon, bounds))

    @torch.no_grad()
    def optimize(
        self,
        score: Score,
        init: Tensor,
        bounds: Bounds,
        generators: Sequence[torch.Generator],
        proposals: Tensor | None = None,
    ) -> Plan:
        """See ``ActionOptimizer``; nothing is drawn.

        Raises:
            ArmillaryError: also where the score is no ``Situation``, or what is proposed does not
                fit it.
        """
        problem = Problem(score, init, bounds, generators, proposals)
        situation = situated(score, f"planner={self.planner}")
        problem.propose(self._proposals(situation, Wanted(init.shape[1], bounds)))
        nothing = torch.zeros_like(problem.half_range)
        still = torch.zeros_like(problem.mean)
        candidates = problem.population(problem.mean, nothing, still, None)
        scores = problem.evaluate(candidates)
        return problem.plan(best(candidates, scores, 1), nothing, None)
