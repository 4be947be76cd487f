"""How predicted costs order candidates, and what they say of the actions that were right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.experiments.diagnosis.exchanged import Known
from armillary.experiments.diagnosis.looking import Looked, Searched
from armillary.experiments.diagnosis.true_dynamics import TrueDynamics
from armillary.experiments.evaluation.diagnosis.evidence import Stage, Surroundings
from armillary.planners.objective import Objective
from armillary.planners.optimizer import ActionOptimizer, Bounds, Plan
from armillary.planners.situation import Situation
from armillary.world_models.goals.reader import GoalReader
from armillary.world_models.oracle import OracleSimulator, PhysicsState
from armillary.world_models.simulator import Goal

RADII = (0.1, 0.3, 1.0)
_AROUND = 16
"""Changes of the right actions, of each size."""


@dataclass(frozen=True)
class Truth:
    """What is true.

    Attributes:
        oracle: the physics.
        objective: the true cost.
        reader: of goals.
        shown: the model that is shown the true frames.
        searches: find the actions that are right, by the true cost: the first one that can.
    """

    oracle: OracleSimulator
    objective: Objective
    reader: GoalReader
    shown: TrueDynamics
    searches: Sequence[ActionOptimizer]


def spearman(a: Tensor, b: Tensor) -> float | None:
    """Spearman's rank correlation of (S,) and (S,); None where one of them is constant."""
    ranks = [rankdata(one.detach().cpu().double().numpy()) for one in (a, b)]
    if any(np.ptp(one) == 0 for one in ranks):
        return None
    return float(np.corrcoef(*ranks)[0, 1])


def stages_of(batches: Sequence[Looked], truth: Truth) -> list[Stage]:
    """How the searches of some episodes order their candidates.

    Raises:
        ArmillaryError: the true cost suits no true places, or the cost no slots of true frames.
    """
    ranks: dict[int, list[tuple[float | None, ...]]] = {}
    for searched, problem in _problems(batches, truth):
        for number, (actions, scores) in enumerate(searched.stages):
            ranks.setdefault(number, []).extend(problem.correlations(actions, scores))
    return [
        Stage(
            stage=number,
            predicted_true=_mean([one[0] for one in found]),
            predicted_shown=_mean([one[1] for one in found]),
            shown_true=_mean([one[2] for one in found]),
            plans=len(found),
        )
        for number, found in sorted(ranks.items())
    ]


def surroundings_of(batches: Sequence[Looked], truth: Truth) -> list[Surroundings]:
    """What the costs say of actions around those that were right; none where they are discrete.

    Raises:
        ArmillaryError: no search finds these, or the true cost suits no true places.
    """
    above: dict[float, list[tuple[float, float]]] = {}
    for _, problem in _problems(batches, truth):
        for radius, found in problem.around_the_right():
            above.setdefault(radius, []).extend(found)
    return [
        Surroundings(
            radius=radius,
            predicted=mean(one for one, _ in found),
            true=mean(other for _, other in found),
        )
        for radius, found in above.items()
    ]


def _problems(batches: Sequence[Looked], truth: Truth) -> Iterator[tuple[Searched, _Problem]]:
    for batch in batches:
        for searched in batch.searches:
            yield searched, _Problem.of(batch, searched, truth)


@dataclass(frozen=True)
class _Problem:
    """A search beside what is true."""

    searched: Searched
    truth: Truth
    scene: PhysicsState
    goal: Goal

    @staticmethod
    def of(batch: Looked, searched: Searched, truth: Truth) -> _Problem:
        """The true goal is read where the episodes began, as the model's is."""
        nothing = np.zeros((len(batch.first), truth.oracle.action_size), np.float32)
        low, high = searched.bounds.low.cpu(), searched.bounds.high.cpu()
        start = truth.oracle.observe(None, nothing, batch.first)
        goal = truth.reader.read(truth.oracle, start, batch.first, low, high)
        scene = truth.oracle.observe(None, nothing, searched.observations)
        return _Problem(searched, truth, scene, goal.index(torch.tensor(searched.rows)))

    def true(self, actions: Tensor) -> Tensor:
        """(B, S, T, A) -> (B, S) the true cost."""
        return self.truth.oracle.score(
            self.scene, actions.cpu(), self.truth.objective, self.goal, self._generators()
        )

    def correlations(self, actions: Tensor, scores: Tensor) -> list[tuple[float | None, ...]]:
        """Of each problem: predicted and true, predicted and shown, shown and true."""
        now = self.searched.situation
        state = Known(now.state, self.scene.scene, torch.empty(len(scores), 0, dtype=torch.long))
        shown = self.truth.shown.score(state, actions, now.objective, now.goal)
        true = self.true(actions)
        return [
            (spearman(p, t), spearman(p, s), spearman(s, t))
            for p, s, t in zip(scores, shown, true, strict=True)
        ]

    def around_the_right(self) -> list[tuple[float, list[tuple[float, float]]]]:
        """By radius, of each problem, the share of changes that cost more: predicted and truly."""
        searched, bounds = self.searched, self.searched.bounds
        if bounds.choices:
            return []
        right = self._right()
        half = (bounds.high - bounds.low) / 2
        drawn = torch.Generator().manual_seed(0)
        found = []
        for radius in RADII:
            size = (len(right), _AROUND, *right.shape[1:])
            change = (2 * torch.rand(size, generator=drawn).to(right) - 1) * radius * half
            around = (right[:, None] + change).clamp(bounds.low, bounds.high)
            together = torch.cat([right[:, None], around], 1)
            now = searched.situation
            with torch.no_grad():
                scores = now.simulator.score(
                    now.state, together, now.objective, now.goal, self._generators()
                ).cpu()
            true = self.true(together)
            shares = [
                ((s[1:] > s[0]).float().mean().item(), (t[1:] > t[0]).float().mean().item())
                for s, t in zip(scores, true, strict=True)
            ]
            found.append((radius, shares))
        return found

    def _right(self) -> Tensor:
        """(B, T, A): the best by the true cost, of a search of its own and of all candidates."""
        searched, oracle = self.searched, self.truth.oracle
        low, high = (end.cpu() for end in (searched.bounds.low, searched.bounds.high))
        objective, generators = self.truth.objective, self._generators()
        situation = Situation(oracle, self.scene, objective, self.goal, generators)
        bounds = type(searched.bounds)(low, high)
        plan = self._searched(situation, searched.init.cpu(), bounds)
        known = torch.cat([plan.actions[:, None], *(one.cpu() for one, _ in searched.stages)], 1)
        best = self.true(known).argmin(1)
        return known[torch.arange(len(known)), best].to(searched.init)

    def _searched(self, situation: Situation, init: Tensor, bounds: Bounds) -> Plan:
        first, *others = self.truth.searches
        try:
            return first.optimize(situation, init, bounds, self._generators())
        except ArmillaryError:
            for search in others:
                return search.optimize(situation, init, bounds, self._generators())
            raise

    def _generators(self) -> list[torch.Generator]:
        return [torch.Generator().manual_seed(row) for row in self.searched.rows]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known else None
