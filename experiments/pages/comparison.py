"""What a page shows of several evaluations: those under the same conditions, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from armillary.experiments.evaluation.metrics import Metric, metric_of
from armillary.experiments.evaluation.results import Evaluation, Statistics
from armillary.experiments.pages.charts import Chart, Charts, Line, Look
from armillary.experiments.pages.conditions import alone, grouped, of_evaluation
from armillary.experiments.pages.evaluation import (
    BANDS,
    FRAMES,
    IMAGINED,
    TIERS,
    Evaluated,
    baseline_lines,
    baseline_rows,
    line_of,
    objects_of,
    of_tier,
    row_of,
)
from armillary.experiments.pages.html import Section
from armillary.experiments.pages.measures import Measures, estimate_of, separated_best

_SHOWN = ("best", "mean")
"""Tiers that are not folded away, and have charts."""
_FEW = 4
"""Runs whose bands can be told apart in one chart."""

Looks = Mapping[str, Look]
"""Colour and dash of each run, by its name."""
Pick = Callable[[Evaluation], Mapping[str, Statistics]]


def compared(evaluated: Sequence[Evaluated], looks: Looks) -> list[Section]:
    """A section for every group of at least two runs under the same conditions."""
    groups = grouped((of_evaluation(one.found), one) for one in evaluated)
    sections = [
        Section(
            group.title("Comparison of evaluations"),
            "comparison.html.j2",
            {"text": group.conditions.text, **_compared(group.members, looks)},
        )
        for group in groups
        if len(group.members) > 1
    ]
    why = "no other run has the same data and sizes"
    lone = [(g.members[0].name, g) for g in groups if len(g.members) == 1 < len(evaluated)]
    return [*sections, *alone("Evaluations that stand alone", why, lone)]


def leaders(evaluated: Sequence[Evaluated]) -> list[tuple[str, str]]:
    """Which run leads beyond doubt, if all were made under the same conditions; else nothing."""
    if len(evaluated) < 2 or len({of_evaluation(one.found) for one in evaluated}) > 1:
        return []
    first = evaluated[0]
    told = []
    for name, what, pick in (
        ("psnr", f"best of {first.found.rollouts}", partial(of_tier, tier="best")),
        ("fg_ari", IMAGINED, objects_of),
    ):
        estimates = [estimate_of(pick(one.found).get(name)) for one in evaluated]
        if any(estimates):
            rivals = [estimate_of(stats.get(name)) for stats in first.found.baselines.values()]
            leader = separated_best([*estimates, *rivals], first.metric(name).higher_is_better)
            names = dict(enumerate(one.name for one in evaluated))
            words = "no clear lead" if leader is None else names.get(leader, "the baseline")
            told.append((words, f"{first.metric(name).heading}, {what}: who leads"))
    return told


def _compared(group: Sequence[Evaluated], looks: Looks) -> dict[str, Any]:
    charts = _charts_of_group(group, looks)
    tiers = {
        tier: _table(
            f"Imagined frames: {words}", group, looks, partial(of_tier, tier=tier), baselines=True
        )
        for tier, words in TIERS.items()
    }
    tables = [tiers[tier] for tier in _SHOWN]
    tables.append(_table("Objects in imagined frames", group, looks, objects_of))
    folded = [table for tier, table in tiers.items() if tier not in _SHOWN]
    folded.append(_table("Diversity of the rollouts", group, looks, lambda e: e.diversity))
    return {
        "tables": [table for table in tables if table],
        "folded": [table for table in folded if table],
        "curves": BANDS if len(group) <= _FEW else "Means over videos.",
        "charts": Charts(charts),
    }


def _table(
    title: str, group: Sequence[Evaluated], looks: Looks, pick: Pick, baselines: bool = False
) -> Measures | None:
    """Runs by measures; ``None`` where no run has any."""
    held = [pick(one.found) for one in group]
    names = list(dict.fromkeys(name for stats in held for name in stats))
    if not names:
        return None
    several = len({one.found.model for one in group}) > 1
    rows = [
        row_of(one.name, names, stats, looks[one.name], one.found.model if several else "")
        for one, stats in zip(group, held, strict=True)
    ]
    rows += baseline_rows(group[0], names) if baselines else []
    return Measures(title, "Run", [_known(group, name) for name in names], rows, mark=True)


def _known(group: Sequence[Evaluated], name: str) -> Metric:
    """How a metric is written, as the first run that describes it says."""
    return next((one.metric(name) for one in group if name in one.found.table), metric_of(name))


def _charts_of_group(group: Sequence[Evaluated], looks: Looks) -> list[Chart]:
    charts, banded = [], len(group) <= _FEW

    def lines_of(pick: Callable[[Evaluation], Statistics | None]) -> list[Line]:
        held = [(one, pick(one.found)) for one in group]
        found = [
            line_of(one.name, stats, one.found.horizon, looks[one.name], banded)
            for one, stats in held
            if stats is not None
        ]
        return [line for line in found if line]

    for name in dict.fromkeys(name for one in group for name in one.found.metrics):
        for tier in _SHOWN:
            lines = lines_of(lambda e, n=name, t=tier: e.metrics.get(n, {}).get(t))
            if lines:
                title = f"{_known(group, name).heading}: {TIERS[tier]}"
                lines += baseline_lines(group[0], name)
                charts.append(Chart(title, IMAGINED, lines, legend=True))
    for name in dict.fromkeys(name for one in group for name in objects_of(one.found)):
        lines = lines_of(lambda e, n=name: objects_of(e).get(n))
        if lines:
            title = f"{_known(group, name).heading} of the objects"
            charts.append(Chart(title, FRAMES, lines, legend=True))
    return charts
