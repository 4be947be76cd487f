"""Does what a network guesses from the slots that are and those wanted; searches nothing."""

from __future__ import annotations

from dataclasses import dataclass

from armillary.planners.proposals.alone import ProposalsAlone
from armillary.planners.proposals.sources import Guesses, Source
from armillary.planners.template.checks import check_count
from armillary.plugins import register


@register("planner", "inverse_dynamics")
@dataclass(frozen=True, kw_only=True)
class InverseDynamicsGuess(ProposalsAlone):
    """The guesses of ``network.InverseDynamics``; the model says which of them is the best.

    Attributes:
        guesses: that are scored, the most trusted ones; with what is left of the last plan these
            are a hundredth of what the cross-entropy method asks of the model.
        proposals_from: a run of ``train-proposals``, or the name of a bundled checkpoint; see
            ``ProposalsAlone`` for None.
    """

    planner = "inverse_dynamics"

    guesses: int = 12

    def __post_init__(self) -> None:
        check_count("guesses", self.guesses, 1)
        super().__post_init__()

    @property
    def source(self) -> Source:
        """See ``ProposalsAlone``."""
        return Guesses(self.guesses)
