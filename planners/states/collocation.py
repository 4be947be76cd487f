"""Collocation: actions and the states between them are searched together, all steps at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from armillary.planners.gradient import Descent, descend
from armillary.planners.situation import Situation, situated
from armillary.planners.template.checks import check, check_count, check_noise
from armillary.planners.template.problem import Problem
from armillary.planners.template.search import Search
from armillary.plugins import register
from armillary.world_models.replay.recordings import leaves, regrown
from armillary.world_models.state import LatentState, State

_STILL = 1e-3
"""The least change of states over a rollout, as a share of their size, that counts as one."""


@register("planner", "collocation")
@dataclass(frozen=True, kw_only=True)
class Collocation(Search[Descent]):
    """Direct collocation by gradients (after GRASP, Psenka et al. 2026), for long horizons.

    The states before each step are variables, at first those of a rollout. The objective sees what
    one step from each of them leads to, so that no gradient passes through more than one step and
    all steps are computed at once. A penalty pulls every action to where the next state is; every
    state goes to where the step before leads, and is perturbed. As in the paper, states get no
    gradient through the model. After some such steps the actions alone are rolled out, which is
    what is scored, and take some steps along their true gradient; then the states are lifted again.
    The scores must carry a gradient from the actions. The paper pins the last state to the goal;
    here the objective says what is wanted. It needs memory for all states of a batch of points.

    Attributes:
        restarts: points drawn around the warm start, itself among them.
        iterations: rollouts, each with a step along the true gradient.
        period: rollouts after which the states are lifted again.
        lifted: steps of actions and states together, each time.
        std: of the points at the start, in halves of the range of the bounds.
        learning_rate: the length of a first step, in the same unit; it falls linearly to zero.
        state_rate: how far a state goes to where the step before leads, in (0, 1].
        state_noise: standard deviation of what perturbs states, relative to what a rollout changes.
        penalty: of states that are not where the step before leads, relative to the score.
        noise_exponent: 0 white, 2 red noise over time, of the points at the start.
        tolerance: see ``Search``; 0 never ends early.
    """

    differentiates: ClassVar[bool] = True

    restarts: int = 16
    iterations: int = 24
    period: int = 8
    lifted: int = 4
    std: float = 0.5
    learning_rate: float = 0.2
    state_rate: float = 0.5
    state_noise: float = 0.1
    penalty: float = 1.0
    noise_exponent: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("restarts", "period", "lifted"):
            check_count(name, getattr(self, name), 1)
        check_noise(self.std, self.noise_exponent)
        for name in ("learning_rate", "state_rate"):
            check(name, getattr(self, name), "in (0, 1]", 0 < getattr(self, name) <= 1)
        for name in ("state_noise", "penalty"):
            value = getattr(self, name)
            check(name, value, "at least 0 and finite", 0 <= value < float("inf"))

    def start(self, problem: Problem) -> Descent:
        """See ``Search``: around the warm start."""
        return Descent(problem, problem.mean, self.std * problem.half_range, gradient=True)

    def noise(self, problem: Problem) -> Iterator[Tensor]:
        """See ``Search``: the first population alone is drawn."""
        yield from problem.noise([self.restarts], self.noise_exponent, {0})
        yield from [problem.mean[:, :0]] * (self.iterations - 1)

    def update(self, distribution: Descent, candidates: Tensor, scores: Tensor) -> Descent:
        """See ``Search``."""
        rate = self.learning_rate * (1 - distribution.steps / self.iterations)
        after = descend(distribution, candidates, rate)
        if after.steps % self.period or after.steps == self.iterations:
            return after
        points = self._together(after, scores, rate)
        return Descent(after.problem, after.mean, after.std, points, True, after.steps)

    def _together(self, start: Descent, scores: Tensor, rate: float) -> Tensor:
        """The points (B, S, T * A) after some steps together with their states."""
        problem, points = start.problem, start.carried
        assert points is not None
        situation = situated(problem.score, "planner=collocation")
        count, samples, _ = points.shape
        states = _rolled(situation, points.unflatten(2, problem.shape))
        scale = states.map(lambda tensor: _change(tensor, samples))
        weight = self.penalty * scores.nan_to_num(0.0, 0.0, 0.0).abs()
        descent = Descent(problem, start.mean, start.std, points)
        for _ in range(self.lifted):
            states = _each(self._perturbed(problem, samples), states, scale)
            with torch.enable_grad():
                moved = points.detach().requires_grad_()
                actions = moved.unflatten(2, problem.shape)
                ahead = situation.simulator.step(states.flatten(2), actions.flatten(0, 2))
                view = situation.simulator.view(ahead)
                rollout = view.imagined((count, samples, 1, problem.shape[0]), actions)
                cost = situation.objective(rollout, situation.goal)
                ahead = ahead.reshape(count * samples, -1)
                gap = _gap(ahead, states, scale).view_as(cost)
                (moved.grad,) = torch.autograd.grad((cost + weight * gap).sum(), moved)
            moved.grad.nan_to_num_(0.0, 0.0, 0.0)
            descent = descend(descent, moved, rate)
            points = descent.carried
            assert points is not None
            states = _each(self._towards, states, ahead.detach())
        problem.spend(samples * (1 + self.lifted))
        return points

    def _towards(self, states: Tensor, ahead: Tensor) -> Tensor:
        """States (B * S, T, ...), all but the first nearer to where the step before leads."""
        followed = states[:, 1:].lerp(ahead[:, :-1], self.state_rate)
        return torch.cat([states[:, :1], followed], 1)

    def _perturbed(self, problem: Problem, samples: int) -> Callable[[Tensor, Tensor], Tensor]:
        """Adds noise of a scale to states (B * S, T, ...), but not to the first."""

        def perturb(states: Tensor, scale: Tensor) -> Tensor:
            shape = (samples, states.shape[1] - 1, *states.shape[2:])
            drawn = [
                torch.randn(shape, generator=generator, device=generator.device)
                for generator in problem.generators
            ]
            noise = self.state_noise * scale * torch.cat(drawn).to(states)
            return torch.cat([states[:, :1], states[:, 1:] + noise], 1)

        return perturb


def _rolled(situation: Situation[State], actions: Tensor) -> State:
    """The states before each of the actions (B, S, T, A), (B * S, T, ...)."""
    states = [situation.state.repeat(actions.shape[1])]
    for taken in actions.flatten(0, 1).unbind(1)[:-1]:
        states.append(situation.simulator.step(states[-1], taken))
    return type(states[0]).stack(states, 1)


def _each(function: Callable[..., Tensor], one: State, other: LatentState) -> State:
    """Applies a function to the tensors of two states of a kind."""
    pairs = zip(leaves(one), leaves(other), strict=True)
    return regrown(one, [function(*pair) for pair in pairs])


def _change(states: Tensor, samples: int) -> Tensor:
    """What a problem's rollouts (B * S, T, ...) change by, (B * S, 1, ...)."""

    def size(tensor: Tensor) -> Tensor:
        return tensor.unflatten(0, (-1, samples)).flatten(1).square().mean(1).sqrt()

    found = size(states - states[:, :1]).maximum(_STILL * size(states)).clamp_min(_STILL**2)
    return found.repeat_interleave(samples).view(-1, *[1] * (states.ndim - 1))


def _gap(ahead: LatentState, states: LatentState, scale: LatentState) -> Tensor:
    """(B * S,): mean squared distance from where steps lead to the states after them."""
    gaps = [
        ((one[:, :-1] - other[:, 1:]) / size).square().flatten(1).sum(1) / other[0].numel()
        for one, other, size in zip(leaves(ahead), leaves(states), leaves(scale), strict=True)
    ]
    return torch.stack(gaps).mean(0)
