"""What a search has scored so far: the best candidate, the best score after every population."""

from __future__ import annotations

import logging
import math
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate, groupby

import torch
from torch import Tensor

from armillary.errors import ArmillaryError

logger = logging.getLogger(__name__)

_HELD = 1 << 18
"""Numbers; of a larger population the best candidate alone is kept, a smaller one waits."""


@lru_cache(maxsize=32)
def rows(count: int, device: torch.device) -> Tensor:
    """The numbers of the problems, (B, 1)."""
    return torch.arange(count, device=device).unsqueeze(1)


class Record:
    """Remembers populations of candidates of B problems.

    Attributes:
        count: candidates scored for each problem.
    """

    def __init__(self) -> None:
        self.count = 0
        self._scores: list[Tensor] = []
        self._usable: list[Tensor] = []
        self._candidates: list[Tensor] = []

    def add(self, candidates: Tensor, scores: Tensor) -> Tensor:
        """Remembers candidates (B, S, T * A) and their scores (B, S).

        Returns:
            The scores, with +inf for NaN and -inf.
        """
        usable = scores.nan_to_num(torch.inf, torch.inf, torch.inf)
        self.count += scores.shape[1]
        self._scores.append(scores)
        self._usable.append(usable)
        if candidates.numel() > _HELD:
            column = usable.argmin(1, keepdim=True)
            candidates = candidates[rows(len(column), column.device), column]
        self._candidates.append(candidates)
        return usable

    def result(self) -> tuple[Tensor, Tensor, Tensor]:
        """What the plan is made of.

        Returns:
            The least score of each problem (B,), its candidate (B, T * A), the first of equals, and
            the least score known after each population (I, B).

        Raises:
            ArmillaryError: no candidate of a problem has a finite score.
        """
        scores = torch.cat(self._usable, 1)
        column = scores.argmin(1, keepdim=True)
        cost = scores.gather(1, column).squeeze(1)
        if not scores.sum().isfinite():
            self._check(cost)
        ends = list(accumulate(part.shape[1] for part in self._usable))
        actions = []
        for problem, number in enumerate(column.flatten().tolist()):
            part = bisect_right(ends, number)
            candidates = self._candidates[part]
            # A population that was reduced has its best candidate alone.
            place = number - ends[part] if candidates.shape[1] > 1 else 0
            actions.append(candidates[problem, place])
        return cost, torch.stack(actions), self._history(scores)

    def _history(self, scores: Tensor) -> Tensor:
        least, first = [], 0
        for size, run in groupby(part.shape[1] for part in self._usable):
            last = first + size * len(list(run))
            least.append(scores[:, first:last].reshape(len(scores), -1, size).amin(2))
            first = last
        return torch.cat(least, 1).T.cummin(0).values

    def _check(self, cost: Tensor) -> None:
        scores = torch.cat(self._scores, 1)
        invalid = int((scores.isnan() | (scores == -torch.inf)).sum())
        if invalid:
            logger.warning("%d of %d candidates scored NaN or -inf", invalid, scores.numel())
        failed = [b for b, value in enumerate(cost.tolist()) if value == math.inf]
        if failed:
            raise ArmillaryError(
                "every problem needs a candidate with a finite score, "
                f"but all {self.count} scored NaN or infinite for problem {failed}"
            )
