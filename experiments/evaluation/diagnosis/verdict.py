"""The rules that make a verdict of the evidence; ``docs/diagnose.md`` has them in words."""

from __future__ import annotations

from collections.abc import Sequence

from armillary.experiments.evaluation.diagnosis.evidence import (
    AS_IS,
    BUDGET,
    COST,
    DYNAMICS,
    OTHER,
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
_PARTS: dict[str, Verdict] = {DYNAMICS: "model", COST: "cost", BUDGET: "search", OTHER: "search"}

Judged = tuple[Verdict, str, bool]
"""The verdict, the reason, and whether chance is ruled out by the intervals that decided."""


def judged(evidence: Evidence) -> Evidence:
    """The evidence with the decisive reason first, and whether it is certain."""
    _, reason, certain = _judge(evidence)
    return evidence.model_copy(update={"reasons": [reason, *evidence.reasons], "certain": certain})


def verdict_of(evidence: Evidence) -> Verdict:
    """Who is at fault."""
    return _judge(evidence)[0]


def _judge(evidence: Evidence) -> Judged:
    rows = {row.label: row for row in evidence.rows}
    as_is = rows[AS_IS].success_rate
    if as_is >= ENOUGH:
        told = f"It reaches the goal in {_percent(as_is)} as it is."
        return "none", told, (rows[AS_IS].ci95[0] or 0.0) >= ENOUGH
    gains = {one.a: one for one in evidence.comparisons}
    helping = sorted(
        (one for name, one in gains.items() if name in _PARTS and _helps(one)),
        key=lambda one: -one.difference,
    )
    if helping:
        return _exchanged(helping, evidence)
    if TRUTH not in gains:
        return _without_truth(evidence)
    truth, rate = gains[TRUTH], rows[TRUTH].success_rate
    if _helps(truth):
        found, why, known = _by_sight_or_ranks(evidence)
        told = f"No single exchange helps, {TRUTH} does ({_gain(truth)}). {why}"
        return found, told, known and _told_apart(truth)
    if rate >= ENOUGH:
        return "none", f"The differences are too small for so few episodes: {_gain(truth)}.", False
    told = (
        f"Even with true dynamics and the true cost this search succeeds in {_percent(rate)} only: "
        "it is too small, or looks too few steps ahead."
    )
    highest = rows[TRUTH].ci95[1]
    below = highest is not None and highest < ENOUGH
    return "search", told, below and all(map(_no_help, gains.values()))


def _exchanged(helping: Sequence[Comparison], evidence: Evidence) -> Judged:
    """Where at least one exchange helps; the most helpful comes first."""
    best = helping[0]
    found, known = _PARTS[best.a], True
    told = f"{best.a.capitalize()} helps the most: {_gain(best)}."
    close = {one.a for one in helping if best.difference - one.difference < HELPS}
    if found == "cost" and _blind(evidence):
        found, why, known = _by_sight_or_ranks(evidence)
        told = f"{told} {why}"
    elif {DYNAMICS, COST} <= close and best.a in (DYNAMICS, COST):
        found, why, known = _by_sight_or_ranks(evidence)
        told = f"True dynamics and the true cost help about as much ({_gain(best)}). {why}"
    return found, told, known and _told_apart(best)


def _by_sight_or_ranks(evidence: Evidence) -> Judged:
    """The model or the cost: whoever sees worse, or spoils the order of the candidates more.

    Where no order is known, whichever gains more by being exchanged, which is never certain.
    """
    sight = evidence.sight
    if sight is not None and _blind(evidence):
        told = (
            f"The slots lose {_percent(sight.lost)} of the things and merge "
            f"{_percent(sight.merged)}: every cost reads what the model does not see."
        )
        return "model", told, True
    imagined = _mean([one.predicted_shown for one in evidence.stages])
    meant = _mean([one.shown_true for one in evidence.stages])
    if imagined is None or meant is None:
        gained = {one.a: one.difference for one in evidence.comparisons}
        least = -1.0  # of what could not be exchanged
        found = "cost" if gained.get(COST, least) > gained.get(DYNAMICS, least) else "model"
        told = f"No rank correlations are known; by what was gained it is rather the {found}."
        return found, told, False
    found = "model" if imagined <= meant else "cost"
    told = (
        f"The rank correlation is {imagined:.2f} between imagined and shown futures, {meant:.2f} "
        f"between the cost of shown futures and the true one: the {found} spoils it more."
    )
    return found, told, True


def _without_truth(evidence: Evidence) -> Judged:
    """What is left to judge by without true dynamics."""
    found = evidence.imagination
    if found is not None and found.horizon == 0:
        return "model", "What it imagines is no better than the last frame copied.", False
    ratio = found.shuffled_ratio if found is not None else None
    if ratio is not None and ratio < UNMOVED:
        return "model", f"Other actions change its error by a factor of {ratio:.2f} only.", False
    missing = [name for name in (DYNAMICS, COST, TRUTH) if name not in _labels(evidence)]
    tried = [name for name in (BUDGET, OTHER, DYNAMICS, COST) if name in _labels(evidence)]
    told = f"{_listed(tried)} {'does' if len(tried) == 1 else 'do'} not help".capitalize()
    return "none", f"{told}; {_listed(missing)} could not be played, which would tell more.", False


def _labels(evidence: Evidence) -> list[str]:
    return [row.label for row in evidence.rows]


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _helps(one: Comparison) -> bool:
    return one.difference >= HELPS or _told_apart(one)


def _told_apart(one: Comparison) -> bool:
    low = one.ci95[0]
    return low is not None and low > 0


def _no_help(one: Comparison) -> bool:
    """Whether chance hides no gain that would count."""
    return one.ci95[1] is not None and one.ci95[1] < HELPS


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


def _mean(values: Sequence[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
