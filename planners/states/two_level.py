"""Two levels: one looks far ahead in held actions, the other reaches its first subgoal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from armillary.planners.costs import LatentDistance
from armillary.planners.objective import Objective, Term
from armillary.planners.situation import Situation, situated
from armillary.planners.template.checks import check_count, check_fitting, check_noise
from armillary.planners.template.problem import Problem
from armillary.planners.template.sampling import populations
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
    std: float = 0.5
    noise_exponent: float = 0.0
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
        there = replace(situation, objective=_REACHED, goal=_goal_of(situation, state))
        return torch.cat([self._lower(there, problem, held), top[..., steps * size :]], 2)

    def _lower(self, situation: Situation, problem: Problem, held: Tensor) -> Tensor:
        """The actions (B, 1, T' * A) of the lower level, which starts from held ones (B, T', A).

        It is no search of its own, whose plan would wait for the device.
        """
        top = mean = held.flatten(1).unsqueeze(1)
        low, high, half_range = (
            end[: mean.shape[2]] for end in (problem.low, problem.high, problem.half_range)
        )
        std, sizes = self.std * half_range, [self.lower_samples - 1] * self.lower_iterations
        for noise in populations(sizes, held, self.noise_exponent, problem.generators):
            drawn = torch.addcmul(mean, std, noise).clamp(low, high)
            candidates = torch.cat([top, drawn], 1)
            scores = situation(candidates.unflatten(2, held.shape[1:]))
            usable = scores.nan_to_num(torch.inf, torch.inf, torch.inf)
            elites = best(candidates, usable, max(1, self.lower_samples // 10))
            mean, std = refit(elites, mean, std, 0.0)
            top = elites[:, :1]
        problem.spend(self.lower_samples * self.lower_iterations)
        return top


def _goal_of(situation: Situation, state: LatentState) -> Goal:
    """The slots of B states as goals, each the one of the present slot that it follows."""
    goal, view = situation.goal, situation.simulator.view(state)
    numbers = torch.arange(goal.objects.shape[1], device=goal.objects.device)
    return Goal(view, numbers.expand_as(goal.objects), goal.objects, goal.effector)
