"""Sources of proposals by name, and the checks that what they propose fits the problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.planners.optimizer import Bounds
from armillary.planners.proposals.query import Query
from armillary.planners.proposals.stored import BUNDLED, Stored, load
from armillary.planners.situation import Situation
from armillary.suggestions import suggest
from armillary.world_models.simulator import Simulator

SHIFTED = "shifted"
NEAREST = 16
"""Recorded episodes that are proposed."""
_INSIDE = 1e-3
"""How far recorded actions may leave the bounds, in their range: they were rounded."""


@dataclass(frozen=True)
class Wanted:
    """What proposals must be like.

    Attributes:
        horizon: T.
        bounds: of the actions.
    """

    horizon: int
    bounds: Bounds


class Source(Protocol):
    """Proposes something for B problems."""

    def check(self, stored: Stored, wanted: Wanted) -> None:
        """Raises ArmillaryError where what is stored cannot give what is wanted."""
        ...

    def __call__(self, stored: Stored, query: Query, wanted: Wanted) -> Tensor:
        """(B, E, T, A)."""
        ...


@dataclass(frozen=True)
class Nearest:
    """What was done in the recorded episodes that are most alike, a ``Source``.

    Attributes:
        count: of them.
    """

    count: int = NEAREST

    def check(self, stored: Stored, wanted: Wanted) -> None:
        """Episodes that are too short are followed by nothing."""

    def __call__(self, stored: Stored, query: Query, wanted: Wanted) -> Tensor:
        """See ``Source``."""
        idle = (wanted.bounds.low + wanted.bounds.high).to(query.slots) / 2
        return stored.recorded.nearest(query.map(Tensor.float), self.count, wanted.horizon, idle)


@dataclass(frozen=True)
class Guesses:
    """Guesses of the network, the most trusted ones first, a ``Source``.

    Attributes:
        count: of them; None for all that it makes.
    """

    count: int | None = None

    def check(self, stored: Stored, wanted: Wanted) -> None:
        """Raises ArmillaryError: it makes fewer guesses, or guesses fewer steps, than wanted."""
        network = stored.network
        if self.count is not None and self.count > network.guesses:
            raise ArmillaryError(
                f"the inverse dynamics of {stored.path} make {network.guesses} guesses, got "
                f"guesses={self.count}"
            )
        if wanted.horizon > network.horizon:
            raise ArmillaryError(
                f"the inverse dynamics of {stored.path} propose {network.horizon} steps, the plan "
                f"has {wanted.horizon}; set horizon={network.horizon}, or "
                f"train-proposals horizon={wanted.horizon}"
            )

    def __call__(self, stored: Stored, query: Query, wanted: Wanted) -> Tensor:
        """See ``Source``."""
        network = stored.network
        guesses = network.guess(query.map(lambda part: part.to(network.low)))
        return guesses[:, : self.count, : wanted.horizon]


SOURCES: dict[str, Source] = {"retrieval": Nearest(), "inverse_dynamics": Guesses()}


class Proposals:
    """Sources with what they read, which is loaded at once.

    Args:
        sources: what proposes.
        place: what they read, see ``stored.load``; None stands for ``stored.BUNDLED``.

    Raises:
        ProposalsError: it is missing or damaged.
    """

    def __init__(self, sources: Sequence[Source], place: str | None) -> None:
        self._sources = sources
        self._stored = load(BUNDLED if place is None else place)
        self._known: tuple[Any, Any, Any] = (None, None, None)
        self._device: torch.device | None = None

    @staticmethod
    def named(names: Sequence[str], place: str | None) -> Proposals | None:
        """The sources of some names; None where there are none beside ``SHIFTED``.

        Raises:
            ArmillaryError: a name is unknown, or given twice.
            ProposalsError: what they read is missing or damaged.
        """
        known = (SHIFTED, *SOURCES)
        texts = isinstance(names, Sequence) and all(isinstance(name, str) for name in names)
        if isinstance(names, str) or not texts or len(set(names)) < len(names):
            raise ArmillaryError(
                f"proposals must be a list that names each one once, got {names!r}; "
                f"proposals=[{','.join(known)}] takes all"
            )
        for name in names:
            if name not in known:
                raise ArmillaryError(f"unknown proposals {name!r}; {suggest(str(name), known)}")
        sources = [SOURCES[name] for name in names if name != SHIFTED]
        return Proposals(sources, place) if sources else None

    def __call__(self, situation: Situation, wanted: Wanted) -> Tensor:
        """What all sources propose, (B, E, T, A).

        Raises:
            ArmillaryError: see ``check``; or the goal says no more than places.
        """
        now = (situation.simulator, wanted.bounds, wanted.horizon)
        if any(one is not known for one, known in zip(now, self._known, strict=True)):
            self.check(situation.simulator, wanted)
            self._known = now
        query = Query.of(situation)
        if query.slots.device != self._device:
            self._device = query.slots.device
            self._stored = self._stored.to(self._device)
        with torch.no_grad():
            parts = [source(self._stored, query, wanted) for source in self._sources]
        return torch.cat(parts, 1)

    def check(self, simulator: Simulator, wanted: Wanted) -> None:
        """Checks that what is proposed fits.

        Raises:
            ArmillaryError: it was learnt from another model's slots, or from actions of another
                size or of wider bounds; or it is fewer or shorter than wanted.
        """
        stored, network, bounds = self._stored, self._stored.network, wanted.bounds
        advice = "armillary train-proposals checkpoint=RUN data.path=FILE makes some that fit"
        if simulator.identity != stored.identity:
            raise ArmillaryError(
                f"the proposals of {stored.path} were learnt from the slots of another model; "
                f"{advice}"
            )
        if network.action_size != len(bounds.low):
            raise ArmillaryError(
                f"the proposals of {stored.path} are actions of size {network.action_size}, the "
                f"task's have {len(bounds.low)}; {advice}"
            )
        low, high = bounds.low.cpu(), bounds.high.cpu()
        slack = _INSIDE * (high - low)
        least, greatest = network.low.cpu(), network.high.cpu()
        if (least < low - slack).any() or (greatest > high + slack).any():
            raise ArmillaryError(
                f"the proposals of {stored.path} are actions from {least.tolist()} to "
                f"{greatest.tolist()}, which leave the task's bounds from {low.tolist()} to "
                f"{high.tolist()}; {advice}"
            )
        for source in self._sources:
            source.check(stored, wanted)
