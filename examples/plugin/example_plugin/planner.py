"""A search: hill climbing in random steps that shrink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from armillary import Bounds, Plan
from armillary.planners.optimizer import Score
from armillary.planners.search import Search
from armillary.plugins import register


@register("planner", "example_plugin")
@dataclass(frozen=True, kw_only=True)
class HillClimbing:
    """Candidates are drawn around the best one so far, which is one of them.

    Attributes:
        samples: S, candidates per iteration.
        iterations: how often.
        std: of the first ones, in halves of the range of the bounds.
        decay: what it is multiplied by after each iteration.
    """

    samples: int = 200
    iterations: int = 16
    std: float = 0.5
    decay: float = 0.8

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
        best, std = search.mean, self.std * search.half_range
        for noise in search.noise([self.samples] * self.iterations, 0.0, range(self.iterations)):
            best = search.evaluate(search.sample(best, std, noise), keep=1)
            std = std * self.decay
        return search.plan()
