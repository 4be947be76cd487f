"""Two levels: one looks far ahead in held actions, the other reaches its first subgoal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from armillary.planners.cem import CEM
from armillary.planners.costs import LatentDistance
from armillary.planners.objective import Objective, Term
from armillary.planners.optimizer import Bounds
from armillary.planners.situation import Situation, situated
from armillary.planners.template.checks import check_count, check_fitting, check_noise
from armillary.planners.template.problem import Problem
from armillary.planners.template.search import Distribution, Search, best, refit
from armillary.plugins import register
from armillary.world_models.simulator import Goal
from armillary.world_models.state import LatentState

_REACHED = Objective({"subgoal": Term(LatentDistance())})
"""How far slots are from those of the subgoal, on average over the way there."""


@dataclass(slots=True, kw_only=True)
class Levels(Distribution):
    """Of the upper level.

    Attributes:
        left: populations that are still to be scored.
    """

    left: int


@register("planner", "two_level")
@dataclass(frozen=True, kw_only=True)
class TwoLevel(Search[Levels]):
    """Hierarchical planning (after HWM, Zhang et al. 2026), with one model at both levels.

    The upper level is the cross-entropy method over changes that are held for ``stride`` steps: few
    numbers for a long way. The slots that its best candidate imagines after the first of them are
    the subgoal. The lower level, the cross-entropy method over single actions, reaches these slots
    as soon as it can; what it finds, followed by the rest of the best candidate, is a candidate of
    the next iteration. The paper's upper level has a model of its own, which is trained on long
    steps and their macro-actions; here nothing is trained.

    Attributes:
        stride: steps that actions are held at the upper level, and to the subgoal.
        samples: S, candidates per iteration of the upper level.
        iterations: of the upper level; the last population has what the lower level found alone.
        elites: E, the best candidates, which the upper Gaussian is fitted to.
        std: of both levels at the start, in halves of the range of the bounds.
        lower_samples: candidates per iteration of the lower level.
        lower_iterations: of the lower level, in each of the upper one.
        noise_exponent: 0 white, 2 red noise over time.
    """

    stride: int = 4
    samples: int = 200
    iterations: int = 6
    elites: int = 20
    std: float = 0.7
    noise_exponent: float = 2.0
    lower_samples: int = 64
    lower_iterations: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("stride", self.stride, 1)
        check_count("samples", self.samples, 2)
        check_count("iterations", self.iterations, 2)
        check_noise(self.std, self.noise_exponent)
        check_fitting(self.samples, self.elites, 0.0)
        check_count("lower_samples", self.lower_samples, 2)
        check_count("lower_iterations", self.lower_iterations, 1)

    def start(self, problem: Problem) -> Levels:
        """See ``Search``: around the warm start."""
        return Levels(problem, problem.mean, self.std * problem.half_range, left=self.iterations)

    def noise(self, problem: Problem) -> Iterator[Tensor]:
        """See ``Search``: the same for ``stride`` steps in a row; none for the last population."""
        horizon, size = problem.shape
        sizes = [self.samples] * (self.iterations - 1)
        for drawn in problem.noise(sizes, self.noise_exponent, {0}):
            steps = drawn.unflatten(2, (horizon, size))[:, :, :: self.stride]
            yield steps.repeat_interleave(self.stride, 2)[:, :, :horizon].flatten(2)
        yield problem.mean[:, :0]

    def update(self, distribution: Levels, candidates: Tensor, scores: Tensor) -> Levels:
        """See ``Search``."""
        left = distribution.left - 1
        if left == 0:
            return distribution
        elites = best(candidates, scores, self.elites)
        mean, std = refit(elites, distribution.mean, distribution.std, 0.0)
        top = elites[:, :1]
        carried = torch.cat([self._reached(distribution.problem, top), top], 1)
        return Levels(distribution.problem, mean, std, carried, left=left)

    def _reached(self, problem: Problem, top: Tensor) -> Tensor:
        """Candidates (B, 1, T * A), whose first steps were replaced by what reaches their end."""
        situation, (horizon, size) = situated(problem.score, "planner=two_level"), problem.shape
        steps = min(self.stride, horizon)
        held = top[:, 0].unflatten(1, problem.shape)[:, :steps]
        state = situation.state
        for actions in held.unbind(1):
            state = situation.simulator.step(state, actions)
        lower = CEM(
            samples=self.lower_samples,
            iterations=self.lower_iterations,
            elites=max(1, self.lower_samples // 10),
            std=self.std,
            noise_exponent=self.noise_exponent,
        )
        there = replace(situation, objective=_REACHED, goal=_goal_of(situation, state))
        bounds = Bounds(problem.low[:size], problem.high[:size])
        plan = lower.optimize(there, held, bounds, problem.generators)
        problem.spend(self.lower_samples * self.lower_iterations)
        return torch.cat([plan.actions.flatten(1), top[:, 0, steps * size :]], 1).unsqueeze(1)


def _goal_of(situation: Situation, state: LatentState) -> Goal:
    """The slots of B states as goals, each the one of the present slot that it follows."""
    goal, view = situation.goal, situation.simulator.view(state)
    numbers = torch.arange(goal.objects.shape[1], device=goal.objects.device)
    return Goal(view, numbers.expand_as(goal.objects), goal.objects, goal.effector)
