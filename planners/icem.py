"""iCEM: the cross-entropy method with coloured noise, fewer samples and a memory of elites."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from torch import Tensor

from armillary.planners.template.checks import check, check_fitting
from armillary.planners.template.search import Distribution, GaussianSearch, best, refit
from armillary.plugins import register


@register("planner", "icem")
@dataclass(frozen=True, kw_only=True)
class ICEM(GaussianSearch):
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

    elites: int = 10
    momentum: float = 0.1
    noise_exponent: float = 2.5
    decay: float = 1.25
    keep: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fitting(self.samples, self.elites, self.momentum)
        check("decay", self.decay, "at least 1", self.decay >= 1)
        check("keep", self.keep, "in [0, 1]", 0 <= self.keep <= 1)

    def population_sizes(self) -> Sequence[int]:
        """New candidates of each iteration."""
        least = 2 * self.elites
        return [max(int(self.samples / self.decay**i), least) for i in range(self.iterations)]

    def centred(self) -> Collection[int]:
        """See ``GaussianSearch``: the first and the last."""
        return {0, self.iterations - 1}

    def update(
        self, distribution: Distribution, candidates: Tensor, scores: Tensor
    ) -> Distribution:
        """See ``Search``."""
        elites = best(candidates, scores, self.elites)
        mean, std = refit(elites, distribution.mean, distribution.std, self.momentum)
        kept = elites[:, : math.ceil(self.keep * self.elites)]
        return Distribution(distribution.problem, mean, std, kept)

    def elites_of(self, distribution: Distribution) -> Tensor | None:
        """See ``Search``: those kept."""
        return distribution.carried
