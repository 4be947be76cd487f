"""Does what a network guesses from the slots that are and those wanted; searches nothing."""

from __future__ import annotations

from dataclasses import dataclass

from armillary.planners.proposals import sources
from armillary.planners.proposals.alone import ProposalsAlone
from armillary.planners.proposals.sources import Source
from armillary.plugins import register


@register("planner", "inverse_dynamics")
@dataclass(frozen=True, kw_only=True)
class InverseDynamicsGuess(ProposalsAlone):
    """The guesses of ``network.InverseDynamics``; the model says which of them is the best.

    Attributes:
        proposals_from: a run of ``train-proposals``, or the name of a bundled checkpoint.
    """

    planner = "inverse_dynamics"

    @property
    def source(self) -> Source:
        """See ``ProposalsAlone``."""
        return sources.inverse_dynamics
