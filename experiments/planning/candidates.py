"""What a search considered last: its candidates, and where the model expects them to lead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from armillary.planners.optimizer import ActionOptimizer, Bounds, Plan, Score
from armillary.planners.situation import Situation, situated

MOST = 24
"""Candidates of a problem that are imagined again."""


@dataclass(frozen=True)
class _Watched(Situation):
    """A situation that keeps what was asked last: candidates and their scores."""

    asked: list[tuple[Tensor, Tensor]]

    def __call__(self, actions: Tensor) -> Tensor:
        scores = super().__call__(actions)
        self.asked[:] = [(actions.detach(), scores.detach())]
        return scores


class WatchedSearch:
    """Passes everything on to a search, and remembers the last candidates that it had scored."""

    def __init__(self, search: ActionOptimizer) -> None:
        self._search = search
        self._asked: list[tuple[Tensor, Tensor]] = []
        self._situation: Situation | None = None

    def optimize(
        self,
        score: Score,
        init: Tensor,
        bounds: Bounds,
        generators: Sequence[torch.Generator],
        proposals: Tensor | None = None,
    ) -> Plan:
        """See ``ActionOptimizer``; ``score`` is a ``Situation``."""
        now = situated(score, "what films candidates")
        self._situation = now
        self._asked = []
        fields = now.simulator, now.state, now.objective, now.goal, now.generators
        watched = _Watched(*fields, self._asked)
        return self._search.optimize(watched, init, bounds, generators, proposals)

    def tracks(self, seeds: Sequence[int]) -> list[NDArray[np.float32]]:
        """Where the last candidates of every problem lead, as the model tells positions.

        Args:
            seeds: of the noise, one for each problem.

        Returns:
            For each problem (S, T + 1, K, 2): the best candidate first, then others evenly by their
            rank, at most ``MOST``; x right and y down, in [0, 1] of the image. Empty where nothing
            was scored.
        """
        if not self._asked or self._situation is None:
            return [np.empty((0, 1, 0, 2), np.float32) for _ in seeds]
        ((actions, scores),) = self._asked
        simulator, state = self._situation.simulator, self._situation.state
        ranks = torch.linspace(0, actions.shape[1] - 1, min(MOST, actions.shape[1])).long()
        chosen = scores.argsort(1)[:, ranks.to(scores.device)]
        rows = torch.arange(len(actions), device=actions.device)[:, None]
        generators = [torch.Generator(simulator.device).manual_seed(seed) for seed in seeds]
        with torch.no_grad():
            future = simulator.rollout(state, actions[rows, chosen], generators).positions[:, :, 0]
            start = simulator.view(state).positions[:, None, None].expand_as(future[:, :, :1])
        return list(torch.cat((start, future), 2).float().cpu().numpy())
