"""What a page shows of several evaluations: those under the same conditions, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from armillary.experiments.pages.charts import Chart, Line
from armillary.experiments.pages.measures import Estimate, Look, Measured, Measures, separated_best
from armillary.experiments.pages.page_blocks import Block, Charts, Fold, Section, Subheading, Text
from armillary.experiments.pages.report_evaluation import (
    CURVES,
    FRAMES,
    baseline_lines,
    numbers,
    of_tier,
)
from armillary.experiments.pages.report_evaluations import (
    BASELINES,
    OBJECTS,
    TIERS,
    Evaluation,
    Stats,
    measure,
)

_SHOWN = ("best", "mean")
"""Tiers that are not folded away, and have charts."""
_FEW = 4
"""Runs whose bands can be told apart in one chart."""
_BASELINE = "baseline"
_MARKS = (
    "A value is marked best only where its 95 % interval lies beyond the intervals of all other "
    "runs; overlapping intervals leave it open which is better."
)

Looks = Mapping[str, Look]
"""Colour and dash of each run, by its name."""


def compared(evaluations: Sequence[Evaluation], looks: Looks) -> list[Section]:
    """A section for every group of at least two runs with the same data and sizes."""
    groups: dict[tuple[str, ...], list[Evaluation]] = {}
    for evaluation in evaluations:
        groups.setdefault(evaluation.protocol, []).append(evaluation)
    several = [group for group in groups.values() if len(group) > 1]
    sections = []
    for number, group in enumerate(several, 1):
        count = f" {number}" if len(several) > 1 else ""
        sections.append(Section(f"Comparison of evaluations{count}", _group(group, looks)))
    alone = [group[0].run.name for group in groups.values() if len(group) == 1]
    if alone and len(evaluations) > 1:
        names = ", ".join(alone)
        text = f"Not compared, because no other run has the same data and sizes: {names}."
        sections.append(Section("Evaluations that stand alone", [Text(text, warning=True)]))
    return sections


def leaders(evaluations: Sequence[Evaluation]) -> list[tuple[str, str]]:
    """Which run leads beyond doubt, if all were made under the same conditions; else nothing."""
    if len(evaluations) < 2 or len({evaluation.protocol for evaluation in evaluations}) > 1:
        return []
    rollouts = evaluations[0].rollouts
    told = []
    for name, what, pick in (
        ("psnr", f"best of {rollouts}", partial(of_tier, tier="best")),
        ("fg_ari", "imagined frames", _objects),
    ):
        estimates = [_estimate(pick(evaluation), name) for evaluation in evaluations]
        if any(estimates):
            baselines = evaluations[0].baselines.values()
            rivals = [*estimates, *(_estimate(stats, name) for stats in baselines)]
            leader = separated_best(rivals, measure(name).higher)
            names = dict(enumerate(evaluation.run.name for evaluation in evaluations))
            words = "no clear lead" if leader is None else names.get(leader, "the baseline")
            told.append((words, f"{measure(name).name}, {what}"))
    return told


def _group(group: Sequence[Evaluation], looks: Looks) -> list[Block]:
    blocks: list[Block] = [Text(f"{group[0].setting}. {_MARKS}")]
    folded: list[Block] = []
    for tier, words in TIERS.items():
        pick = partial(of_tier, tier=tier)
        table = _table(f"Imagined frames: {words}", group, looks, pick, baselines=True)
        if table:
            (blocks if tier in _SHOWN else folded).append(table)
    for title, pick, place in (
        ("Objects in imagined frames", _objects, blocks),
        ("Diversity of the rollouts", _diversity, folded),
    ):
        table = _table(title, group, looks, pick)
        place += [table] if table else []
    if folded:
        blocks.append(Fold("The other rollouts, and diversity", folded))
    charts = _charts(group, looks)
    if charts:
        told = CURVES if len(group) <= _FEW else "Means over videos."
        blocks += [Subheading("Frame by frame"), Text(told), Charts(charts), numbers(charts)]
    return blocks


def _objects(evaluation: Evaluation) -> dict[str, Stats]:
    return dict(evaluation.objects)


def _diversity(evaluation: Evaluation) -> dict[str, Stats]:
    return dict(evaluation.diversity)


def _table(
    title: str,
    group: Sequence[Evaluation],
    looks: Looks,
    pick: Callable[[Evaluation], dict[str, Stats]],
    baselines: bool = False,
) -> Measures | None:
    """Runs by measures; ``None`` where no run has any."""
    held = [pick(evaluation) for evaluation in group]
    names = list(dict.fromkeys(name for stats in held for name in stats))
    if not names:
        return None
    several = len({evaluation.model for evaluation in group}) > 1
    rows = [
        Measured(
            evaluation.run.name,
            [_estimate(stats, name) for name in names],
            looks[evaluation.run.name],
            evaluation.model if several else "",
        )
        for evaluation, stats in zip(group, held, strict=True)
    ]
    rows += [
        Measured(
            BASELINES.get(key, key), [_estimate(stats, name) for name in names], note=_BASELINE
        )
        for key, stats in (group[0].baselines.items() if baselines else ())
    ]
    return Measures(title, "Run", [measure(name) for name in names], rows, mark=True)


def _estimate(stats: Mapping[str, Stats], name: str) -> Estimate | None:
    return stats[name].estimate if name in stats else None


def _charts(group: Sequence[Evaluation], looks: Looks) -> list[Chart]:
    charts = []
    metrics = list(dict.fromkeys(name for evaluation in group for name in evaluation.metrics))
    for metric in metrics:
        for tier in _SHOWN:
            found = {e.run.name: e.metrics.get(metric, {}).get(tier) for e in group}
            lines = _lines(found, looks)
            if lines:
                title = f"{measure(metric).name}: {TIERS[tier]}"
                lines += baseline_lines(group[0], metric)
                charts.append(Chart(title, "imagined frames", lines, legend=True))
    for name in OBJECTS:
        lines = _lines({e.run.name: e.objects.get(name) for e in group}, looks)
        if lines:
            title = f"{measure(name).name} of the objects"
            charts.append(Chart(title, FRAMES, lines, legend=True))
    return charts


def _lines(found: Mapping[str, Stats | None], looks: Looks) -> list[Line]:
    few = len(found) <= _FEW
    return [
        Line(name, stats.curve, *looks[name], band=stats.band if few else ())
        for name, stats in found.items()
        if stats and stats.curve
    ]
