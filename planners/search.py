"""What sampling optimizers share: check a problem, clip, score and remember candidates."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterator, Sequence

import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.planners.optimizer import Bounds, Plan, Score
from armillary.planners.sampling import populations

logger = logging.getLogger(__name__)


class Search:
    """One optimisation under way. Time and action are one dimension here, T * A.

    Nothing in it mixes problems or adds up in an order that depends on their number, so that a plan
    is the same, bit by bit, whoever shares its batch.

    Args:
        score: see ``ActionOptimizer.optimize``, as the others.

    Attributes:
        mean: (B, 1, T * A), the warm start.
        half_range: (T * A,), half the width of the bounds.

    Raises:
        ArmillaryError: shapes disagree.
    """

    def __init__(
        self,
        score: Score,
        init: Tensor,
        bounds: Bounds,
        generators: Sequence[torch.Generator],
        seeds: Tensor | None,
    ) -> None:
        _check_inputs(init, bounds, generators, seeds)
        self._score = score
        self._init = init
        self._generators = generators
        self._shape = init.shape[1:]
        self._low = bounds.low.repeat(self._shape[0])
        self._high = bounds.high.repeat(self._shape[0])
        self._problems = torch.arange(len(init), device=init.device).unsqueeze(1)
        self._seeds = None if seeds is None else self._clip(seeds.flatten(2))
        self._scores: list[Tensor] = []
        self._least: list[Tensor] = []
        self._elites: list[Tensor] = []
        self.mean = self._clip(init.flatten(1).unsqueeze(1))
        self.half_range = (self._high - self._low) / 2

    def noise(
        self, sizes: Sequence[int], exponent: float, centred: Collection[int]
    ) -> Iterator[Tensor]:
        """The noise (B, S_i, T * A) of each iteration, see ``sampling.populations``."""
        return populations(sizes, self._init, exponent, self._generators, centred)

    def sample(self, mean: Tensor, std: Tensor, noise: Tensor) -> Tensor:
        """Candidates (B, S, T * A) = mean + std * noise, clipped to the bounds."""
        return torch.addcmul(mean, std, noise).clamp_(self._low, self._high)

    def evaluate(self, candidates: Tensor, keep: int) -> Tensor:
        """Scores candidates, the first time together with the seeds.

        Args:
            candidates: (B, S, T * A) within the bounds.
            keep: E, how many to return.

        Returns:
            (B, E, T * A): the elites, best first.
        """
        if self._seeds is not None:
            candidates = torch.cat([candidates, self._seeds], 1)
            self._seeds = None
        actions = candidates.view(len(candidates), -1, *self._shape)
        scores = self._score(actions)
        if scores.shape != actions.shape[:2]:
            raise ArmillaryError(
                f"score must map candidates (B, S, T, A) = {tuple(actions.shape)} "
                f"to (B, S) = {tuple(actions.shape[:2])}, got {tuple(scores.shape)}"
            )
        # topk puts NaN behind +inf.
        least, rows = scores.topk(keep, 1, largest=False)
        elites = candidates[self._problems, rows]
        self._scores.append(scores)
        self._least.append(least)
        self._elites.append(elites)
        return elites

    def plan(self, mean: Tensor | None = None, elites: Tensor | None = None) -> Plan:
        """The best candidate ever scored.

        Args:
            mean: (B, 1, T * A), ``Plan.mean``; by default the best candidate.
            elites: (B, E, T * A), ``Plan.elites``; by default the best candidate.

        Raises:
            ArmillaryError: no candidate of a problem scored below +inf.
        """
        scores = torch.cat(self._scores, 1)
        least = torch.stack(self._least)[..., 0]
        invalid = int(scores.isnan().sum())
        if invalid:
            logger.warning("%d of %d candidates scored NaN", invalid, scores.numel())
            least = least.masked_fill(least.isnan(), torch.inf)
        cost, iteration = least.min(0)
        failed = [b for b, value in enumerate(cost.tolist()) if value == math.inf]
        if failed:
            raise ArmillaryError(
                "every problem needs a candidate with a finite score, "
                f"but all {scores.shape[1]} scored NaN or inf for problem {failed}"
            )
        best = torch.stack([self._elites[i][b, 0] for b, i in enumerate(iteration.tolist())])
        mean = best if mean is None else mean
        elites = best.unsqueeze(1) if elites is None else elites
        return Plan(
            best.view_as(self._init),
            cost,
            least.cummin(0).values,
            mean.view_as(self._init),
            elites.reshape(len(elites), -1, *self._shape),
        )

    def _clip(self, candidates: Tensor) -> Tensor:
        return candidates.clamp(self._low, self._high)


def refit(elites: Tensor, mean: Tensor, std: Tensor, momentum: float) -> tuple[Tensor, Tensor]:
    """The Gaussian of the elites, mixed with the one that they were drawn from.

    Args:
        elites: (B, E, T * A).
        mean: (B, 1, T * A), of the previous Gaussian.
        std: like ``mean`` or (T * A,).
        momentum: the weight of the previous Gaussian, in [0, 1).

    Returns:
        The new mean and standard deviation, (B, 1, T * A) each.
    """
    new_mean = elites.mean(1, keepdim=True)
    # Several times as fast as torch.std_mean, which does not vectorise over problems.
    new_std = (elites - new_mean).square_().mean(1, keepdim=True).sqrt_()
    if momentum == 0:
        return new_mean, new_std
    return new_mean.lerp(mean, momentum), new_std.lerp(std, momentum)


def _check_inputs(
    init: Tensor, bounds: Bounds, generators: Sequence[torch.Generator], seeds: Tensor | None
) -> None:
    actions = len(bounds.low)
    if init.ndim != 3 or init.shape[2] != actions or init.numel() == 0:
        raise ArmillaryError(
            f"init must be (B, T, A) with A = {actions} as in the bounds, got {tuple(init.shape)}"
        )
    problems, horizon, _ = init.shape
    if len(generators) != problems:
        raise ArmillaryError(
            f"there must be one generator for each of the {problems} problems, "
            f"got {len(generators)}"
        )
    if seeds is not None and (*seeds.shape[:1], *seeds.shape[2:]) != tuple(init.shape):
        raise ArmillaryError(
            f"seeds must be (B, E, T, A) = ({problems}, E, {horizon}, {actions}), "
            f"got {tuple(seeds.shape)}"
        )
