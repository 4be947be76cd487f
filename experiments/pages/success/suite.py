"""What a page shows of a suite: rows by task, models by planners, differences, films."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from armillary.experiments.command.console import counted
from armillary.experiments.evaluation.metrics import Metric
from armillary.experiments.evaluation.success import Benchmark, Row, Trainings
from armillary.experiments.films.embedded import FilmRequest
from armillary.experiments.pages.html import Content
from armillary.experiments.pages.measures import Estimate, Measured, Measures
from armillary.experiments.pages.planning import (
    EXPLANATIONS,
    best_marked,
    differences,
    filmed,
    result_of,
)
from armillary.experiments.pages.runs import Run
from armillary.experiments.pages.success.pareto import Pareto, Point

_NOTE = (
    "The bars are 95 % Wilson intervals. A row is marked best only where its interval lies beyond "
    "those of all others but the references random, noop and oracle."
)


def content(run: Run, found: Benchmark) -> Content:
    """The page's part of a suite that has at least one row."""
    tasks = [_task(task, found) for task in dict.fromkeys(row.task for row in found.rows)]
    best = _best(found.rows) or found.rows[0]
    return Content(
        "suite.html.j2",
        {
            "about": found.about,
            "tasks": tasks,
            "several": len(tasks) > 1,
            "skipped": found.skipped,
            "note": _NOTE,
        },
        f"Suite {found.suite}: {counted(len(found.rows), 'row')}.",
        [
            (f"{best.successes} of {best.episodes}", f"the best: {best.label}"),
            (f"{sum(row.episodes for row in found.rows):,}", "episodes played"),
            (str(len({_model(row) for row in found.rows if row.planner})), "models that plan"),
            (str(len({row.planner for row in found.rows if row.planner})), "planners"),
        ],
        _films(run, found),
    )


def _task(task: str, found: Benchmark) -> dict[str, Any]:
    """What is shown of the rows of one task."""
    rows = [row for row in found.rows if row.task == task]
    labels = {row.label for row in rows}
    best = _best(rows)
    told = [one for one in found.comparisons if one.a in labels]
    points = [
        Point(
            name=row.label,
            model=_model(row),
            planner=row.planner or "",
            evaluations=max(row.evaluations, 1.0),
            rate=row.success_rate,
            interval=_interval(row),
        )
        for row in rows
        if row.evaluations is not None
    ]
    floors = [(row.label, row.success_rate) for row in rows if row.planner is None]
    first = rows[0]
    return {
        "name": task,
        "about": f"{counted(first.episodes, 'problem')}, the same for every row, from seed "
        f"{first.seed}.",
        "results": best_marked([result_of(row, _explained(row)) for row in rows]),
        "grid": _grid(rows),
        "pareto": Pareto(points, floors) if points else None,
        "differences": differences(told, best.label if best else ""),
        "trainings": [_trained(one) for one in found.trainings if one.task == task],
    }


def _grid(rows: Sequence[Row]) -> Measures | None:
    """Models by planners; None where there is but one of either."""
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.planner is not None:
            cells.setdefault((_model(row), row.planner), []).append(row)
    models = list(dict.fromkeys(model for model, _ in cells))
    planners = list(dict.fromkeys(planner for _, planner in cells))
    if len(models) < 2 or len(planners) < 2:
        return None
    lines = [
        Measured(model, [_estimate(cells.get((model, planner), [])) for planner in planners])
        for model in models
    ]
    columns = [Metric(planner, "%", 0, True) for planner in planners]
    return Measures("Success by model and planner", "Model", columns, lines)


def _estimate(rows: Sequence[Row]) -> Estimate | None:
    """The success of a row in %; of several trainings their mean, without an interval."""
    if not rows:
        return None
    mean = 100 * sum(row.success_rate for row in rows) / len(rows)
    low, high = _interval(rows[0])
    return Estimate(mean, (100 * low, 100 * high) if len(rows) == 1 else None)


def _trained(one: Trainings) -> tuple[str, str]:
    low, high = (100 * (edge or 0.0) for edge in one.range)
    name = ", ".join(part for part in (one.model, one.planner) if part)
    told = f"mean {100 * one.mean:.1f} %, from {low:.0f} to {high:.0f} %"
    return name, f"{told}, {counted(len(one.rates), 'training')}"


def _films(run: Run, found: Benchmark) -> list[FilmRequest]:
    """A success and a failure of the best row of every model and task."""
    chosen: dict[tuple[str, str], Row] = {}
    for row in found.rows:
        key = row.task, _model(row)
        if key not in chosen or row.success_rate > chosen[key].success_rate:
            chosen[key] = row
    labels = {row.label for row in chosen.values()}
    shown: dict[tuple[str, bool], Any] = {}
    for film in found.films:
        if film.row in labels:
            shown.setdefault((film.row, film.success), film)
    return [filmed(run, film) for film in shown.values()]


def _best(rows: Sequence[Row]) -> Row | None:
    """The row with the most successes that is no reference."""
    competing = [row for row in rows if row.simulator not in EXPLANATIONS]
    return max(competing, key=lambda row: row.success_rate, default=None)


def _explained(row: Row) -> str:
    return EXPLANATIONS.get(row.simulator, "" if row.simulator == _model(row) else row.simulator)


def _model(row: Row) -> str:
    return row.model or row.simulator


def _interval(row: Row) -> tuple[float, float]:
    low, high = row.ci95
    return low or 0.0, 0.0 if high is None else high
