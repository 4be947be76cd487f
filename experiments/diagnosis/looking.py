"""Plays as an agent does, and keeps what it saw and what its searches considered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from armillary.agent.mpc import MPCAgent
from armillary.planners.optimizer import ActionOptimizer, Bounds, Plan, Score
from armillary.planners.situation import Situation, situated
from armillary.world_models.simulator import Observation

MOST = 24
"""Candidates of a population that are looked at."""
_EVERY = 3
"""The first plan of an episode is looked at, and every so many after it."""


@dataclass(frozen=True)
class Searched:
    """A search for B problems.

    Attributes:
        situation: in which it was made.
        init: (B, T, A), its warm start.
        bounds: of the actions.
        stages: of each population some candidates (B, S, T, A), evenly by rank, and their scores
            (B, S).
        rows: (B,) which of the episodes of the batch they are.
        observations: B of the moment.
    """

    situation: Situation
    init: Tensor
    bounds: Bounds
    stages: Sequence[tuple[Tensor, Tensor]]
    rows: Sequence[int]
    observations: Sequence[Observation]


@dataclass
class Seen:
    """One episode: (L,) observations before each action, and (L, A) the actions."""

    observations: list[Observation] = field(default_factory=list)
    actions: list[NDArray[np.float32]] = field(default_factory=list)


@dataclass
class Looked:
    """A batch of episodes that were played together.

    Attributes:
        first: the observations that they began with.
        episodes: by row.
        searches: those that are looked at.
    """

    first: Sequence[Observation] = ()
    episodes: list[Seen] = field(default_factory=list)
    searches: list[Searched] = field(default_factory=list)


@dataclass(frozen=True)
class _Asked(Situation):
    """A situation that keeps some of every population that was asked about."""

    stages: list[tuple[Tensor, Tensor]]

    def __call__(self, actions: Tensor) -> Tensor:
        scores = super().__call__(actions)
        count = actions.shape[1]
        ranks = torch.linspace(0, count - 1, min(MOST, count)).long().to(scores.device)
        chosen = scores.detach().argsort(1)[:, ranks]
        rows = torch.arange(len(actions), device=scores.device)[:, None]
        self.stages.append((actions.detach()[rows, chosen], scores.detach().gather(1, chosen)))
        return scores


_Last = tuple[Situation, Tensor, Bounds, list[tuple[Tensor, Tensor]]]


class _Search:
    """Passes everything on to a search, and remembers the last one."""

    def __init__(self, search: ActionOptimizer) -> None:
        self._search = search
        self._last: _Last | None = None

    def taken(self) -> _Last | None:
        """What the search that has just been made was given, and its stages; None for none."""
        last, self._last = self._last, None
        return last

    def optimize(
        self,
        score: Score,
        init: Tensor,
        bounds: Bounds,
        generators: Sequence[torch.Generator],
        proposals: Tensor | None = None,
    ) -> Plan:
        now = situated(score, "a diagnosis")
        stages: list[tuple[Tensor, Tensor]] = []
        fields = now.simulator, now.state, now.objective, now.goal, now.generators
        plan = self._search.optimize(_Asked(*fields, stages), init, bounds, generators, proposals)
        self._last = now, init, bounds, stages
        return plan


class Looking:
    """An ``Agent`` that plays as another one does.

    Args:
        agent: that acts; its searches are watched from now on.

    Attributes:
        batches: of episodes, in the order in which they were played.
    """

    def __init__(self, agent: MPCAgent) -> None:
        self._agent = agent
        self._search = agent.optimizer = _Search(agent.optimizer)
        self._plans = 0
        self.batches: list[Looked] = []

    def reset(self, seeds: Sequence[int]) -> None:
        """See ``Agent``."""
        self._agent.reset(seeds)
        self._plans = 0
        self.batches.append(Looked(episodes=[Seen() for _ in seeds]))

    def act(
        self, observations: Sequence[Observation], active: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """See ``Agent``."""
        now = self.batches[-1]
        now.first = now.first or list(observations)
        actions = self._agent.act(observations, active)
        rows = np.flatnonzero(active).tolist()
        for row in rows:
            now.episodes[row].observations.append(observations[row])
            now.episodes[row].actions.append(actions[row])
        searched = self._search.taken()
        if searched is not None:
            if self._plans % _EVERY == 0:
                shown = [observations[row] for row in rows]
                now.searches.append(Searched(*searched, rows, shown))
            self._plans += 1
        return actions
