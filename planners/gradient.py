"""Gradient descent on the actions, from several starts at once, through a differentiable model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.planners.lbfgs import LBFGS
from armillary.planners.template.checks import check, check_count, check_noise
from armillary.planners.template.problem import Problem
from armillary.planners.template.search import Distribution, Search, refit
from armillary.plugins import register
from armillary.suggestions import suggest

_METHODS = ("adam", "lbfgs")
_DECAYS = (0.9, 0.999)
_EPSILON = 1e-8


@dataclass(slots=True)
class Descent(Distribution):
    """Points on their way down; ``carried`` are the points.

    Attributes:
        steps: taken so far.
        first: (B, S, T * A), the decaying mean of the gradient, in halves of the range and units.
        second: like ``first``, of its square.
        unit: (B, S, 1), of gradients: about the largest number of the first one, so that squares of
            the scores' own unit neither overflow nor vanish.
        lbfgs: what L-BFGS knows, which has no moments.
    """

    steps: int = 0
    first: Tensor | None = None
    second: Tensor | None = None
    unit: Tensor | None = None
    lbfgs: LBFGS | None = None


@register("planner", "gradient")
@dataclass(frozen=True, kw_only=True)
class Gradient(Search[Descent]):
    """Adam (Kingma & Ba 2015, with its own decays and epsilon), projected into the bounds.

    Or L-BFGS (Nocedal 1980), whose steps start from the best point so far, see ``lbfgs.LBFGS``.

    The restarts are the warm start, the proposals and points around the warm start. The scores
    must carry a gradient from the actions: those of a world model do, those of true physics do not.

    Attributes:
        restarts: points drawn around the warm start, itself among them.
        iterations: steps; each scores every point once, with its gradient.
        method: ``adam`` or ``lbfgs``.
        std: of the points at the start, in halves of the range of the bounds.
        learning_rate: the length of a first step, in the same unit. Adam's falls linearly to zero;
            that of L-BFGS doubles while scores fall.
        noise_exponent: 0 white, 2 red noise over time.
        tolerance: see ``Search``; 0 never ends early.
    """

    differentiates: ClassVar[bool] = True

    restarts: int = 16
    iterations: int = 30
    method: str = "adam"
    std: float = 0.5
    learning_rate: float = 0.2
    noise_exponent: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("restarts", self.restarts, 1)
        if self.method not in _METHODS:
            raise ArmillaryError(
                f"unknown method {self.method!r}; {suggest(self.method, _METHODS)}"
            )
        check_noise(self.std, self.noise_exponent)
        check("learning_rate", self.learning_rate, "in (0, 1]", 0 < self.learning_rate <= 1)

    def start(self, problem: Problem) -> Descent:
        """See ``Search``: around the warm start."""
        return Descent(problem, problem.mean, self.std * problem.half_range, gradient=True)

    def noise(self, problem: Problem) -> Iterator[Tensor]:
        """See ``Search``: the first population alone is drawn."""
        yield from problem.noise([self.restarts], self.noise_exponent, {0})
        yield from [problem.mean[:, :0]] * (self.iterations - 1)

    def update(self, distribution: Descent, candidates: Tensor, scores: Tensor) -> Descent:
        """See ``Search``."""
        if self.method == "lbfgs":
            return _descend_lbfgs(distribution, candidates, scores, self.learning_rate)
        return descend(
            distribution,
            candidates,
            self.learning_rate * (1 - distribution.steps / self.iterations),
        )


def descend(distribution: Descent, candidates: Tensor, learning_rate: float) -> Descent:
    """One step of Adam, projected into the bounds, whatever the unit of the scores.

    Args:
        distribution: with the moments so far.
        candidates: (B, S, T * A), with their gradient.
        learning_rate: in halves of the range of the bounds.
    """
    problem, steps = distribution.problem, distribution.steps + 1
    assert candidates.grad is not None
    gradient = candidates.grad * problem.half_range
    first, second, unit = distribution.first, distribution.second, distribution.unit
    if first is None or second is None or unit is None:
        first, second = torch.zeros_like(gradient), torch.zeros_like(gradient)
        unit = _unit(gradient)
    gradient = gradient / unit
    first = first.lerp(gradient, 1 - _DECAYS[0])
    second = second.lerp(gradient.square(), 1 - _DECAYS[1])
    size = (second / (1 - _DECAYS[1] ** steps)).sqrt_().add_(_EPSILON)
    step = first / (1 - _DECAYS[0] ** steps) / size
    points = problem.clip(candidates.detach() - learning_rate * problem.half_range * step)
    mean, std = refit(points, distribution.mean, distribution.std, 0.0)
    return Descent(problem, mean, std, points, True, steps, first, second, unit)


def _unit(gradient: Tensor) -> Tensor:
    """A power of two near the largest number of each gradient (B, S, T * A), (B, S, 1).

    To divide by it is exact. 1 where there is no gradient, or none that is finite.
    """
    largest = gradient.abs().amax(-1, keepdim=True)
    unit = torch.ldexp(torch.ones_like(largest), torch.frexp(largest).exponent)
    return torch.where((largest > 0) & unit.isfinite() & largest.isfinite(), unit, 1.0)


def _descend_lbfgs(
    distribution: Descent, candidates: Tensor, scores: Tensor, learning_rate: float
) -> Descent:
    """One step of L-BFGS, of which the first has the length ``learning_rate``; see ``descend``."""
    problem, lbfgs = distribution.problem, distribution.lbfgs
    assert candidates.grad is not None
    # Contiguous, so that sums over a candidate round alike however the model lays gradients out.
    gradient = (candidates.grad * problem.half_range).contiguous()
    points = candidates.detach()
    if lbfgs is None:
        lbfgs = LBFGS.begun(points, scores, gradient, learning_rate)
    else:
        lbfgs = lbfgs.advanced(problem, points, scores, gradient)
    points = lbfgs.next(problem)
    mean, std = refit(points, distribution.mean, distribution.std, 0.0)
    steps = distribution.steps + 1
    return Descent(problem, mean, std, points, True, steps, lbfgs=lbfgs)
