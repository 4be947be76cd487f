"""The rules that make a verdict of the evidence; ``docs/diagnose.md`` has them in words."""

from __future__ import annotations

from collections.abc import Sequence

from armillary.experiments.evaluation.diagnosis.evidence import (
    AS_IS,
    BUDGET,
    COST,
    DYNAMICS,
    TRUTH,
    Evidence,
    Verdict,
)
from armillary.experiments.evaluation.success import Comparison

ENOUGH = 0.9
"""A success rate that leaves nothing to explain."""
HELPS = 0.2
"""A difference of success rates that counts though its interval holds zero."""
BLIND = 0.2
"""A share of things lost or merged above which the cost reads what is not there."""
UNMOVED = 1.1
"""Errors with shuffled actions, in errors with the right ones, of a model that hears no action."""
_PARTS: dict[str, Verdict] = {DYNAMICS: "model", COST: "cost", BUDGET: "search"}

Judged = tuple[Verdict, str, bool]
"""The verdict, the reason, and whether chance is ruled out by the interval that decided."""


def judged(evidence: Evidence) -> Evidence:
    """The evidence with the decisive reason first, and whether it is certain."""
    _, reason, certain = _judge(evidence)
    return evidence.model_copy(update={"reasons": [reason, *evidence.reasons], "certain": certain})


def verdict_of(evidence: Evidence) -> Verdict:
    """Who is at fault."""
    return _judge(evidence)[0]


def _judge(evidence: Evidence) -> Judged:
    rates = {row.label: row.success_rate for row in evidence.rows}
    most = {row.label: row.ci95[1] for row in evidence.rows}
    if rates[AS_IS] >= ENOUGH:
        return "none", f"It reaches the goal in {_percent(rates[AS_IS])} as it is.", True
    gains = {one.a: one for one in evidence.comparisons}
    helping = sorted(
        (one for name, one in gains.items() if name in _PARTS and _helps(one)),
        key=lambda one: -one.difference,
    )
    if helping:
        return _exchanged(helping, evidence)
    if TRUTH not in gains:
        return _without_truth(evidence)
    truth = gains[TRUTH]
    if _helps(truth):
        found, why = _by_sight_or_ranks(evidence)
        told = f"No single exchange helps, {TRUTH} does ({_gain(truth)}). {why}"
        return found, told, _told_apart(truth)
    if rates[TRUTH] >= ENOUGH:
        return "none", f"The differences are too small for so few episodes: {_gain(truth)}.", False
    told = (
        f"Even with true dynamics and the true cost this search succeeds in "
        f"{_percent(rates[TRUTH])} only: it is too small, or looks too few steps ahead."
    )
    highest = most[TRUTH]
    return "search", told, highest is not None and highest < ENOUGH


def _exchanged(helping: Sequence[Comparison], evidence: Evidence) -> Judged:
    """Where at least one exchange helps; the most helpful comes first."""
    best = helping[0]
    found, told = _PARTS[best.a], f"{best.a.capitalize()} helps the most: {_gain(best)}."
    close = {one.a for one in helping if best.difference - one.difference < HELPS}
    if found == "cost" and _blind(evidence):
        found, why = _by_sight_or_ranks(evidence)
        told = f"{told} {why}"
    elif {DYNAMICS, COST} <= close and best.a != BUDGET:
        found, why = _by_sight_or_ranks(evidence)
        told = f"True dynamics and the true cost help about as much ({_gain(best)}). {why}"
    return found, told, _told_apart(best)


def _by_sight_or_ranks(evidence: Evidence) -> tuple[Verdict, str]:
    """The model or the cost: whoever sees worse, or spoils the order of the candidates more."""
    sight = evidence.sight
    if sight is not None and _blind(evidence):
        return "model", (
            f"The slots lose {_percent(sight.lost)} of the things and merge "
            f"{_percent(sight.merged)}: every cost reads what the model does not see."
        )
    imagined = _mean([one.predicted_shown for one in evidence.stages])
    meant = _mean([one.shown_true for one in evidence.stages])
    found: Verdict = "model" if imagined <= meant else "cost"
    return found, (
        f"The rank correlation is {imagined:.2f} between imagined and shown futures, {meant:.2f} "
        f"between the cost of shown futures and the true one: the {found} spoils it more."
    )


def _without_truth(evidence: Evidence) -> Judged:
    """What is left to judge by without true dynamics."""
    found = evidence.imagination
    if found is not None and found.horizon == 0:
        return "model", "What it imagines is no better than the last frame copied.", False
    ratio = found.shuffled_ratio if found is not None else None
    if ratio is not None and ratio < UNMOVED:
        return "model", f"Other actions change its error by a factor of {ratio:.2f} only.", False
    return "none", "A larger search does not help, and no more can be told of this task.", False


def _helps(one: Comparison) -> bool:
    return one.difference >= HELPS or _told_apart(one)


def _told_apart(one: Comparison) -> bool:
    low = one.ci95[0]
    return low is not None and low > 0


def _blind(evidence: Evidence) -> bool:
    sight = evidence.sight
    return sight is not None and sight.lost + sight.merged > BLIND


def _gain(one: Comparison) -> str:
    low, high = (100 * (edge or 0.0) for edge in one.ci95)
    return (
        f"{100 * one.difference:+.0f} points of 100 ({low:+.0f} to {high:+.0f}) on "
        f"{one.episodes} episodes"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _mean(values: Sequence[float | None]) -> float:
    """Of those that are known; 1, which accuses nobody, where none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else 1.0
