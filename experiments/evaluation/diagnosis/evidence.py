"""What a diagnosis found, as its file holds it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from armillary.experiments.command.stored import Count, Number, Part, Stored
from armillary.experiments.evaluation.success import Comparison, Row

AS_IS = "as it is"
DYNAMICS, COST, BUDGET, TRUTH = "true dynamics", "true cost", "ten times the search", "all true"
"""Names of the rows: what plays, and what it has exchanged."""
OTHER = "another search"
"""The row as it is by a planner that can be shown what is true, where the one given cannot."""

Verdict = Literal["model", "cost", "search", "none"]


class Stage(Part):
    """Spearman's rank correlations over candidates of one population; means over plans.

    Attributes:
        stage: which population of the search, from 0.
        predicted_true: of the predicted cost and the true one.
        predicted_shown: of the predicted cost and the same cost where the model was shown the true
            frames instead: what imagination costs.
        shown_true: of that cost and the true one: what the cost costs.
        plans: that were looked at.
    """

    stage: Count
    predicted_true: Number
    predicted_shown: Number
    shown_true: Number
    plans: Count


class Surroundings(Part):
    """The share of actions around the right ones that cost more than these.

    Attributes:
        radius: greatest change of an action, in halves of the range of the bounds.
        predicted: by the predicted cost.
        true: by the true one.
    """

    radius: float
    predicted: float
    true: float


class Imagination(Part):
    """Squared errors of slots, by steps after the last frame that was seen.

    Attributes:
        imagined: under the actions that were taken.
        copied: of the slots as they were.
        shuffled: under actions of other moments.
        moments: that each is a mean over.
        horizon: so many steps long imagination is better than copying, without a break.
        shuffled_ratio: error with shuffled actions, in errors with the right ones; None where there
            is no error at all.
    """

    imagined: list[float]
    copied: list[float]
    shuffled: list[float]
    moments: list[Count]
    horizon: Count
    shuffled_ratio: Number


class Sight(Part):
    """What the slots show of true things that can be seen.

    Attributes:
        things: looked at, over all moments.
        lost: the share of them that the background's slot shows.
        merged: the share that shares its slot with another thing.
    """

    things: Count
    lost: float
    merged: float


class Evidence(Part):
    """What speaks for the verdict.

    Attributes:
        reasons: in words, the decisive one first.
        certain: whether chance is ruled out by the intervals that decided.
        rows: as it is, and with each part exchanged.
        comparisons: every other row minus the first, on the same episodes; rows by the other search
            minus ``OTHER``.
        stages: of the search.
        surroundings: of the right actions, by their size.
        imagination: against copying; None where no episode was long enough.
        sight: None for a model of one slot, and without physics.
        left_out: what could not be looked at, and why.
    """

    reasons: list[str]
    certain: bool
    rows: list[Row]
    comparisons: list[Comparison] = Field(default_factory=list)
    stages: list[Stage] = Field(default_factory=list)
    surroundings: list[Surroundings] = Field(default_factory=list)
    imagination: Imagination | None = None
    sight: Sight | None = None
    left_out: list[str] = Field(default_factory=list)


class Diagnosis(Stored):
    """Of ``diagnose``."""

    checkpoint: str
    verdict: Verdict
    evidence: Evidence
