"""iCEM: the cross-entropy method with coloured noise, fewer samples and a memory of elites."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from armillary.planners.checks import check, check_fitting, check_sampling
from armillary.planners.optimizer import Bounds, Plan, Score
from armillary.planners.search import Search, refit
from armillary.plugins import register


@register("planner", "icem")
@dataclass(frozen=True, kw_only=True)
class ICEM:
    """Improved cross-entropy method (Pinneri et al. 2020, Algorithm 1).

    The best elites join the candidates of the next iteration and, as ``Plan.elites``, those of the
    next plan. The mean is a candidate of the first iteration (the warm start; the paper leaves it
    out there) and of the last.

    Attributes:
        samples: N, candidates of the first iteration.
        iterations: how often the Gaussian is fitted.
        elites: the best candidates of an iteration, which it is fitted to.
        std: at the start, in halves of the range of the bounds.
        momentum: weight of the previous Gaussian in the next, in [0, 1).
        noise_exponent: 0 white, 2 red noise over time; the paper has 0.25 to 3.5, by task.
        decay: iteration i draws N / decay^i candidates, but at least twice the elites.
        keep: the fraction of the elites that is tried again.
    """

    samples: int = 300
    iterations: int = 10
    elites: int = 10
    std: float = 0.5
    momentum: float = 0.1
    noise_exponent: float = 2.5
    decay: float = 1.25
    keep: float = 0.3

    def __post_init__(self) -> None:
        check_sampling(self.samples, self.iterations, self.std, self.noise_exponent)
        check_fitting(self.samples, self.elites, self.momentum)
        check("decay", self.decay, "at least 1", self.decay >= 1)
        check("keep", self.keep, "in [0, 1]", 0 <= self.keep <= 1)

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
        kept = mean[:, :0]
        centred = {0, self.iterations - 1}
        for noise in search.noise(self.population_sizes(), self.noise_exponent, centred):
            candidates = torch.cat([search.sample(mean, std, noise), kept], 1)
            elites = search.evaluate(candidates, self.elites)
            kept = elites[:, : math.ceil(self.keep * self.elites)]
            mean, std = refit(elites, mean, std, self.momentum)
        return search.plan(mean, kept)

    def population_sizes(self) -> list[int]:
        """New candidates of each iteration."""
        least = 2 * self.elites
        return [max(int(self.samples / self.decay**i), least) for i in range(self.iterations)]
