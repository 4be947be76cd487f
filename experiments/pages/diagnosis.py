"""What a page shows of a diagnosis: the verdict, and its evidence in words, tables and curves."""

from __future__ import annotations

from collections.abc import Sequence

from armillary.experiments.command.console import counted
from armillary.experiments.evaluation.diagnosis.evidence import (
    AS_IS,
    BUDGET,
    COST,
    DYNAMICS,
    OTHER,
    TRUTH,
    Diagnosis,
    Evidence,
)
from armillary.experiments.pages.charts import Chart, Charts, Line, drawable
from armillary.experiments.pages.html import Content
from armillary.experiments.pages.planning import differences, result_of

_EXPLAINED = {
    AS_IS: "the model, its cost and the search as they were given",
    DYNAMICS: "the model's cost of what it makes of the true frames",
    COST: "the true cost of true places, moved as the model imagines",
    BUDGET: "the best of ten rounds",
    OTHER: "the model and its cost, by a search that can be shown what is true",
    TRUTH: "true dynamics and the true cost, the same search or the other one",
}
_VERDICTS = {
    "model": "It is the model.",
    "cost": "It is the cost.",
    "search": "It is the search.",
    "none": "Nobody is at fault, as far as this can tell.",
}
_CHANCE = "Chance is not ruled out: more episodes would tell."


def content(found: Diagnosis) -> Content:
    """The page's part of a diagnosis."""
    evidence = found.evidence
    return Content(
        "diagnosis.html.j2",
        {
            "verdict": _VERDICTS[found.verdict],
            "reasons": [*evidence.reasons, *([] if evidence.certain else [_CHANCE])],
            "left_out": evidence.left_out,
            "results": [result_of(row, _EXPLAINED.get(row.label, "")) for row in evidence.rows],
            "differences": differences(evidence.comparisons, ""),
            "stages": evidence.stages,
            "charts": Charts(_charts(evidence)),
            "surroundings": evidence.surroundings,
            "facts": _facts(evidence),
        },
        f"Was it the model, the cost or the search? {found.checkpoint}, "
        f"{counted(evidence.rows[0].episodes, 'episode')}.",
        [(found.verdict, "the verdict")]
        + [(f"{row.successes} of {row.episodes}", row.label) for row in evidence.rows],
    )


def _charts(evidence: Evidence) -> list[Chart]:
    charts = []
    found = evidence.imagination
    if found is not None:
        named = {"imagined": found.imagined, "copied": found.copied, "shuffled": found.shuffled}
        lines = _lines({name: list(enumerate(line, 1)) for name, line in named.items()})
        note = "Imagined under the actions taken, under shuffled ones, and the last frame copied."
        if lines:
            charts.append(Chart("Squared error of slots", "steps ahead", lines, note=note))
    ranks: dict[str, Sequence[tuple[float, float | None]]] = {
        "predicted, true": [(one.stage, one.predicted_true) for one in evidence.stages],
        "predicted, shown": [(one.stage, one.predicted_shown) for one in evidence.stages],
        "shown, true": [(one.stage, one.shown_true) for one in evidence.stages],
    }
    lines = _lines(ranks)
    if lines:
        note = "Spearman's, of the candidates' costs; 1 keeps their order."
        charts.append(Chart("Rank correlation", "population of the search", lines, note=note))
    return charts


def _lines(named: dict[str, Sequence[tuple[float, float | None]]]) -> list[Line]:
    """Lines of those points that can be drawn."""
    known = {
        name: [(float(x), y) for x, y in points if drawable(y)] for name, points in named.items()
    }
    return [
        Line(name, points, color) for color, (name, points) in enumerate(known.items(), 1) if points
    ]


def _facts(evidence: Evidence) -> list[tuple[str, str]]:
    rows = []
    found, sight = evidence.imagination, evidence.sight
    if found is not None:
        longest = counted(len(found.imagined), "step")
        rows.append(
            ("imagination beats copying", f"up to {found.horizon} ahead, of {longest} looked at")
        )
        if found.shuffled_ratio is not None:
            times = f"{found.shuffled_ratio:.2f} times as large"
            rows.append(("error with shuffled actions", times))
    if sight is not None:
        rows.append(("things lost in the background", f"{100 * sight.lost:.0f} %"))
        rows.append(("things merged with another", f"{100 * sight.merged:.0f} %"))
    return rows
