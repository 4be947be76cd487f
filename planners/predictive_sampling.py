"""Predictive sampling: the best of a few candidates around the warm start; the cheapest search."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from armillary.planners.template.search import Distribution, GaussianSearch, best
from armillary.plugins import register


@register("planner", "predictive_sampling")
@dataclass(frozen=True, kw_only=True)
class PredictiveSampling(GaussianSearch):
    """Predictive sampling (Howell et al. 2022, Algorithm 1), one iteration of which is a plan.

    It lives on the warm start, which must be good for long: replan at every step. The paper's
    splines keep candidates smooth; here red noise does.

    Attributes:
        samples: S, candidates per iteration.
        iterations: how often the best candidate becomes the mean.
        std: in halves of the range of the bounds.
        noise_exponent: 0 white, 2 red noise over time.
        tolerance: see ``Search``; 0 never ends early.
    """

    samples: int = 32
    iterations: int = 1
    std: float = 0.3
    noise_exponent: float = 2.0

    def update(
        self, distribution: Distribution, candidates: Tensor, scores: Tensor
    ) -> Distribution:
        """See ``Search``."""
        return Distribution(distribution.problem, best(candidates, scores, 1), distribution.std)
