"""Random shooting: draw candidates around the warm start, take the best."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from torch import Tensor

from armillary.planners.template.search import Distribution, GaussianSearch
from armillary.plugins import register


@register("planner", "random_shooting")
@dataclass(frozen=True, kw_only=True)
class RandomShooting(GaussianSearch):
    """The floor of every planner comparison.

    Attributes:
        samples: S, candidates scored at a time.
        iterations: how often; nothing is learned in between.
        std: of the candidates, in halves of the range of the bounds.
        noise_exponent: 0 white, 2 red noise over time.
    """

    std: float = 1.0

    def centred(self) -> Collection[int]:
        """See ``GaussianSearch``: the first."""
        return {0}

    def update(
        self, distribution: Distribution, candidates: Tensor, scores: Tensor
    ) -> Distribution:
        """See ``Search``."""
        return distribution
