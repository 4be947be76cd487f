"""What a page shows of ``benchmark`` and ``plan``: success rates with intervals, and films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from armillary.experiments.command.errors import UsageError
from armillary.experiments.pages.json_fields import Fields
from armillary.experiments.pages.measures import Estimate, separated_best
from armillary.experiments.pages.page_blocks import Section, Text
from armillary.experiments.pages.report_content import Content
from armillary.experiments.pages.report_films import FilmRequest
from armillary.experiments.pages.report_runs import Run
from armillary.experiments.pages.success_table import Result, Results

EXPLANATIONS = {
    "random": "uniformly random actions: the floor",
    "noop": "does nothing: shows that no episode starts solved",
    "oracle": "the true physics and the same planner: the ceiling",
}
"""What the references of a benchmark are; they do not compete."""
_MOST_FILMS = 6
_MARKS = (
    "A row is marked best only where its interval lies beyond those of all others but the "
    "references random, noop and oracle."
)


def planning_content(run: Run) -> Content:
    """The rows of a run, and the films of a run of ``plan``."""
    rows = _rows(run)
    if run.results is None or not rows:
        return Content()
    results = [_result(row) for row in rows]
    episodes = run.results.get("episodes")
    films, blocks = [], []
    if run.verb == "plan" and not episodes.empty:
        played = list(episodes.items())
        films = [_film(run, episode) for episode in played[:_MOST_FILMS]]
        if len(played) > _MOST_FILMS:
            rest = f"The first {_MOST_FILMS} of {len(played)} films; the others are in the run."
            blocks.append(Text(rest))
    trained = [result for result in results if result.name not in EXPLANATIONS]
    return Content(
        about=f"{_conditions(rows[0])}.",
        highlights=[
            (f"{result.successes} of {result.episodes}", f"goals: {result.name}")
            for result in (trained or results)[:3]
        ],
        blocks=[Results(_note(rows), best_marked(results)), *blocks],
        films=films,
        gallery=True,
    )


def compared_planning(runs: Sequence[Run]) -> list[Section]:
    """A section for every set of at least two runs that met the same problems."""
    groups: dict[str, list[tuple[Run, Fields]]] = {}
    for run in runs:
        for row in _rows(run):
            groups.setdefault(_conditions(row), []).append((run, row))
    sections = []
    for conditions, members in groups.items():
        if len({run.name for run, _ in members}) < 2:
            continue
        results = []
        for run, row in members:
            result = _result(row)
            planner = row["planner"]
            searched = "" if planner.empty else f", {planner.text()}"
            results.append(replace(result, explanation=f"{run.name}{searched}"))
        note = f"{conditions}. The bars are 95 % Wilson intervals. {_MARKS}"
        sections.append(Section("Comparison of success", [Results(note, best_marked(results))]))
    return sections


def best_marked(results: Sequence[Result]) -> list[Result]:
    """The rows, the best competitor marked where its interval leaves no doubt."""
    estimates = [
        None
        if result.name in EXPLANATIONS
        else Estimate(result.successes / result.episodes, result.interval)
        for result in results
    ]
    best = separated_best(estimates, higher=True)
    return [replace(result, best=index == best) for index, result in enumerate(results)]


def _rows(run: Run) -> list[Fields]:
    return [] if run.results is None else list(run.results["rows"].items())


def _conditions(row: Fields) -> str:
    seed = row["seed"].count()
    return f"Task {row['task'].text()}, {row['episodes'].count()} problems with seeds from {seed}"


def _note(rows: Sequence[Fields]) -> str:
    planners = dict.fromkeys(row["planner"].text() for row in rows if not row["planner"].empty)
    search = f" Plans are searched with {', '.join(planners)}." if planners else ""
    marks = f" {_MARKS}" if len(rows) > 1 else ""
    return f"{_conditions(rows[0])}.{search} The bars are 95 % Wilson intervals.{marks}"


def _result(row: Fields) -> Result:
    name, episodes, successes = row["simulator"].text(), row["episodes"], row["successes"]
    interval = row["ci95"].pair()
    rate = successes.count() / max(episodes.count(), 1)
    if episodes.count() < 1 or interval is None or not 0 <= interval[0] <= rate <= interval[1] <= 1:
        raise UsageError(
            f"{row.place} must have successes of at least one episode and an interval around their "
            f"share, got {successes.value} of {episodes.value} and {row['ci95'].value}"
        )
    return Result(
        name=name,
        explanation=EXPLANATIONS.get(name, ""),
        successes=successes.count(),
        episodes=episodes.count(),
        interval=interval,
        steps=row["steps_to_success"].optional(),
        seconds=row["plan_seconds"].optional(),
    )


def _film(run: Run, episode: Fields) -> FilmRequest:
    seed, steps = episode["seed"].count(), episode["steps"].count()
    outcome = "reached the goal" if episode["success"].value is True else "did not reach the goal"
    return FilmRequest(
        title=f"{run.name}: episode {seed}",
        caption=f"It {outcome}, in {steps} steps.",
        alt=f"Film of episode {seed} beside its goal image: the agent {outcome}",
        gif=run.directory / f"episode_{seed}.gif",
    )
