"""Random shooting: draw candidates around the warm start, take the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from armillary.planners.checks import check_sampling
from armillary.planners.optimizer import Bounds, Plan, Score
from armillary.planners.search import Search
from armillary.plugins import register


@register("planner", "random_shooting")
@dataclass(frozen=True, kw_only=True)
class RandomShooting:
    """The floor of every planner comparison.

    Attributes:
        samples: S, candidates scored at a time.
        iterations: how often; nothing is learned in between.
        std: of the candidates, in halves of the range of the bounds.
        noise_exponent: 0 white, 2 red noise over time.
    """

    samples: int = 300
    iterations: int = 10
    std: float = 1.0
    noise_exponent: float = 0.0

    def __post_init__(self) -> None:
        check_sampling(self.samples, self.iterations, self.std, self.noise_exponent)

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
        std = self.std * search.half_range
        for noise in search.noise([self.samples] * self.iterations, self.noise_exponent, {0}):
            search.evaluate(search.sample(search.mean, std, noise), keep=1)
        return search.plan()
