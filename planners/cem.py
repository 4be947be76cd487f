"""The cross-entropy method: fit a Gaussian to the best candidates, draw from it again."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from armillary.planners.template.checks import check, check_fitting
from armillary.planners.template.search import Distribution, GaussianSearch, best, refit
from armillary.plugins import register


@register("planner", "cem")
@dataclass(frozen=True, kw_only=True)
class CEM(GaussianSearch):
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

    elites: int = 30
    min_std: float = 0.0
    momentum: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fitting(self.samples, self.elites, self.momentum)
        check("min_std", self.min_std, f"in [0, std={self.std}]", 0 <= self.min_std <= self.std)

    def update(
        self, distribution: Distribution, candidates: Tensor, scores: Tensor
    ) -> Distribution:
        """See ``Search``."""
        elites = best(candidates, scores, self.elites, ordered=False)
        mean, std = refit(elites, distribution.mean, distribution.std, self.momentum)
        problem = distribution.problem
        if self.min_std > 0:
            std = std.maximum(self.min_std * problem.half_range)
        return Distribution(problem, mean, std)
