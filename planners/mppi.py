"""MPPI: the next mean is the average of all candidates, the better ones weighing more."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from armillary.planners.template.checks import check
from armillary.planners.template.search import Distribution, GaussianSearch
from armillary.plugins import register


@register("planner", "mppi")
@dataclass(frozen=True, kw_only=True)
class MPPI(GaussianSearch):
    """Model-predictive path integral control (Williams et al. 2017, Algorithm 2).

    Candidate s weighs ``exp(-(c_s - min c) / lambda)``. So that it means the same for every cost,
    lambda is ``temperature`` times how far the mean of the scores lies above the least one. The
    mean is a candidate of every iteration.

    Attributes:
        samples: S, candidates per iteration.
        iterations: how often the mean moves.
        std: at the start, in halves of the range of the bounds; the paper keeps it.
        decay: what the standard deviation is multiplied by after each iteration, in (0, 1]; below 1
            the search is annealed, as in DIAL-MPC (Xue et al. 2024).
        temperature: above 0; small follows the best candidate, large the mean of all.
        noise_exponent: 0 white, 2 red noise over time.
        tolerance: see ``Search``; 0 never ends early.
    """

    decay: float = 1.0
    temperature: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check("decay", self.decay, "in (0, 1]", 0 < self.decay <= 1)
        check("temperature", self.temperature, "positive and finite", 0 < self.temperature < 1e30)

    def update(
        self, distribution: Distribution, candidates: Tensor, scores: Tensor
    ) -> Distribution:
        """See ``Search``."""
        above = scores.to(candidates) - scores.amin(1, keepdim=True).to(candidates)
        finite = above.isfinite()
        above = above.masked_fill(~finite, 0.0)
        mean_above = above.sum(1, keepdim=True) / finite.sum(1, keepdim=True).clamp_min(1)
        scale = (self.temperature * mean_above).clamp_min(torch.finfo(above.dtype).tiny)
        weights = (finite * (-above / scale).exp()).unsqueeze(2)
        total = weights.sum(1, keepdim=True)
        average = (weights * candidates).sum(1, keepdim=True) / total.clamp_min(1.0)
        mean = torch.where(total > 0, average, distribution.mean)
        return Distribution(distribution.problem, mean, distribution.std * self.decay)
