"""The cross-entropy method: fit a Gaussian to the best candidates, draw from it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from armillary.planners.checks import check, check_fitting, check_sampling
from armillary.planners.optimizer import Bounds, Plan, Score
from armillary.planners.search import Search, refit
from armillary.plugins import register


@register("planner", "cem")
@dataclass(frozen=True, kw_only=True)
class CEM:
    """Cross-entropy method (Rubinstein 1999; for planning PETS, Chua et al. 2018).

    The mean is a candidate of every iteration: the warm start of the first, the mean of the
    latest elites of every later one.

    Attributes:
        samples: S, candidates per iteration.
        iterations: how often the Gaussian is fitted.
        elites: E, the best candidates of an iteration, which it is fitted to.
        std: at the start, in halves of the range of the bounds.
        min_std: the least, in the same unit.
        momentum: weight of the previous Gaussian in the next, in [0, 1).
        noise_exponent: 0 white, 2 red noise over time.
    """

    samples: int = 300
    iterations: int = 10
    elites: int = 30
    std: float = 0.5
    min_std: float = 0.0
    momentum: float = 0.0
    noise_exponent: float = 0.0

    def __post_init__(self) -> None:
        check_sampling(self.samples, self.iterations, self.std, self.noise_exponent)
        check_fitting(self.samples, self.elites, self.momentum)
        check("min_std", self.min_std, f"in [0, std={self.std}]", 0 <= self.min_std <= self.std)

    @torch.no_grad()
    def optimize(
        self,
        score: Score,
        init: Tensor,
        bounds: Bounds,
        generators: Sequence[torch.Generator],
        seeds: Tensor | None = None,
    ) -> Plan:
        """See ``ActionOptimizer``."""
        search = Search(score, init, bounds, generators, seeds)
        mean, std = search.mean, self.std * search.half_range
        least_std = self.min_std * search.half_range
        sizes, centred = [self.samples] * self.iterations, range(self.iterations)
        for noise in search.noise(sizes, self.noise_exponent, centred):
            elites = search.evaluate(search.sample(mean, std, noise), self.elites)
            mean, std = refit(elites, mean, std, self.momentum)
            if self.min_std > 0:
                std = std.maximum(least_std)
        return search.plan(mean)
