"""Does again what led from a scene like this to a goal like that; searches nothing."""

from __future__ import annotations

from dataclasses import dataclass

from armillary.planners.proposals.alone import ProposalsAlone
from armillary.planners.proposals.sources import NEAREST, Nearest, Source
from armillary.planners.template.checks import check_count
from armillary.plugins import register


@register("planner", "retrieval")
@dataclass(frozen=True, kw_only=True)
class Retrieval(ProposalsAlone):
    """Recorded actions, found by matching slots; the model says which of the nearest are the best.

    Attributes:
        nearest: recorded episodes whose actions are scored.
        proposals_from: a run of ``train-proposals``, or the name of a bundled checkpoint; see
            ``ProposalsAlone`` for None.
    """

    planner = "retrieval"

    nearest: int = NEAREST

    def __post_init__(self) -> None:
        check_count("nearest", self.nearest, 1)
        super().__post_init__()

    @property
    def source(self) -> Source:
        """See ``ProposalsAlone``."""
        return Nearest(self.nearest)
