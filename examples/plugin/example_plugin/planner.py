"""A search: hill climbing in random steps that shrink."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from armillary.planners import Distribution, GaussianSearch, best
from armillary.plugins import register


@register("planner", "example_plugin")
@dataclass(frozen=True, kw_only=True)
class HillClimbing(GaussianSearch):
    """Candidates are drawn around the best one so far, which is one of them.

    Attributes:
        samples: S, candidates per iteration.
        iterations: how often.
        std: of the first ones, in halves of the range of the bounds.
        decay: what it is multiplied by after each iteration.
    """

    samples: int = 200
    iterations: int = 16
    decay: float = 0.8

    def update(
        self, distribution: Distribution, candidates: Tensor, scores: Tensor
    ) -> Distribution:
        """See ``Search``."""
        top = best(candidates, scores, 1)
        return Distribution(distribution.problem, top, distribution.std * self.decay)
