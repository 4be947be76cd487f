"""The cross-entropy method, whose elites then follow the gradient through the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from armillary.planners.gradient import Descent, descend
from armillary.planners.template.checks import check, check_count, check_fitting, check_noise
from armillary.planners.template.problem import Problem
from armillary.planners.template.search import Search, best, refit
from armillary.plugins import register


@register("planner", "cem_gradient")
@dataclass(frozen=True, kw_only=True)
class CEMGradient(Search[Descent]):
    """Samples find the valley, gradients its bottom (after Bharadhwaj et al. 2020).

    The paper takes gradient steps with every candidate of every iteration; here the best
    candidates of the last Gaussian take them, which is cheaper by an order of magnitude. The
    scores must carry a gradient from the actions.

    Attributes:
        samples: S, candidates per iteration of CEM.
        iterations: populations in all.
        steps: how many of them, the last ones, are steps of Adam.
        elites: the best candidates of an iteration, which the Gaussian is fitted to.
        refined: the best of these, which follow the gradient.
        std: at the start, in halves of the range of the bounds.
        learning_rate: the length of a first step, in the same unit; it falls linearly to zero.
        noise_exponent: 0 white, 2 red noise over time.
        tolerance: see ``Search``; 0 never ends early.
    """

    differentiates: ClassVar[bool] = True

    samples: int = 300
    iterations: int = 15
    steps: int = 10
    elites: int = 30
    refined: int = 10
    std: float = 0.5
    learning_rate: float = 0.05
    noise_exponent: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("samples", self.samples, 2)
        check_count("steps", self.steps, 1)
        check(
            "steps", self.steps, f"below iterations={self.iterations}", self.steps < self.iterations
        )
        check_noise(self.std, self.noise_exponent)
        check_fitting(self.samples, self.elites, 0.0)
        check_count("refined", self.refined, 1)
        check("refined", self.refined, f"at most elites={self.elites}", self.refined <= self.elites)
        check("learning_rate", self.learning_rate, "in (0, 1]", 0 < self.learning_rate <= 1)

    def start(self, problem: Problem) -> Descent:
        """See ``Search``: around the warm start; ``Descent.steps`` counts up to 0 by sampling."""
        std = self.std * problem.half_range
        return Descent(problem, problem.mean, std, steps=self.steps - self.iterations)

    def noise(self, problem: Problem) -> Iterator[Tensor]:
        """See ``Search``: nothing is drawn while the gradient is followed."""
        sampled = self.iterations - self.steps
        yield from problem.noise([self.samples] * sampled, self.noise_exponent, range(sampled))
        yield from [problem.mean[:, :0]] * self.steps

    def update(self, distribution: Descent, candidates: Tensor, scores: Tensor) -> Descent:
        """See ``Search``."""
        steps = distribution.steps
        if steps >= 0:
            return descend(distribution, candidates, self.learning_rate * (1 - steps / self.steps))
        elites = best(candidates, scores, self.elites)
        mean, std = refit(elites, distribution.mean, distribution.std, 0.0)
        followed = elites[:, : self.refined] if steps == -1 else None
        return Descent(distribution.problem, mean, std, followed, steps == -1, steps + 1)
