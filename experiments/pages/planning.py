"""What a page shows of ``benchmark`` and ``plan``: success rates with intervals, and films."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from armillary.experiments.command.console import counted, joined
from armillary.experiments.evaluation.success import (
    Benchmark,
    Comparison,
    Filmed,
    Planning,
    Played,
    Row,
)
from armillary.experiments.films.embedded import FilmRequest
from armillary.experiments.pages.conditions import alone, grouped, of_planning
from armillary.experiments.pages.html import Content, Section
from armillary.experiments.pages.measures import Estimate, separated_best
from armillary.experiments.pages.runs import Run

EXPLANATIONS = {
    "random": "uniformly random actions: the floor",
    "noop": "does nothing: shows that no episode starts solved",
    "oracle": "the true physics and the same planner: the ceiling",
}
"""What the references of a benchmark are; they do not compete."""
_MOST_FILMS = 6
_MOST_SHOWN = 12
_BARS = "The bars are 95 % Wilson intervals."
_MARKS = (
    "A row is marked best only where its interval lies beyond those of all others but the "
    "references random, noop and oracle."
)


@dataclass(frozen=True)
class Result:
    """How often something reached the goal.

    Attributes:
        name: what planned.
        explanation: one line, or empty.
        successes: episodes that reached the goal.
        episodes: all episodes.
        interval: 95 % Wilson interval of the success rate, in [0, 1].
        steps: median steps to success; ``None`` without a success.
        seconds: median seconds of a plan, for each of the problems that were planned for together;
            ``None`` where nothing is planned.
        alone: the same for one problem alone; ``None`` where that is not known.
        evaluations: median candidates of a plan; ``None`` likewise.
        held: the share of episodes that ended at the goal; ``None`` where that is not known.
        measures: what else the task measures, in [0, 1] by name.
        best: whether it is marked as better than all others.
    """

    name: str
    explanation: str
    successes: int
    episodes: int
    interval: tuple[float, float]
    steps: float | None
    seconds: float | None
    alone: float | None = None
    evaluations: float | None = None
    held: float | None = None
    measures: Mapping[str, float] = field(default_factory=dict)
    best: bool = False

    def __post_init__(self) -> None:
        low, high = self.interval
        if not 0.0 <= low <= self.rate <= high <= 1.0:
            raise ValueError(f"need 0 <= low <= rate <= high <= 1, got {low}, {self.rate}, {high}")

    @property
    def rate(self) -> float:
        """The share of successes."""
        return self.successes / self.episodes


def result_of(row: Row, explanation: str | None = None) -> Result:
    """A row of a benchmark, explained."""
    low, high = row.ci95
    assert low is not None  # rows are checked when they are read
    assert high is not None
    return Result(
        name=row.label,
        explanation=EXPLANATIONS.get(row.simulator, "") if explanation is None else explanation,
        successes=row.successes,
        episodes=row.episodes,
        interval=(low, high),
        steps=row.steps_to_success,
        seconds=row.plan_seconds,
        alone=row.plan_seconds_alone,
        evaluations=row.evaluations,
        held=row.held_at_end,
        measures=row.measures,
    )


def content(run: Run, found: Benchmark) -> Content:
    """The rows of a run, and the films of a run of ``plan``."""
    if not found.rows:
        return Content()
    results = [result_of(row) for row in found.rows]
    rest = ""
    played = (found.episodes or []) if isinstance(found, Planning) else []
    films = [_film(run, episode) for episode in played[:_MOST_FILMS]]
    films += [filmed(run, film) for film in found.films]
    if len(played) > _MOST_FILMS:
        rest = f"The first {_MOST_FILMS} of {len(played)} films; the others are in the run."
    trained = [result for result in results if result.name not in EXPLANATIONS]
    planners = list(dict.fromkeys(row.planner for row in found.rows if row.planner))
    searched = f"Plans are searched with {joined(planners)}. " if planners else ""
    note = f"{searched}{_BARS}{f' {_MARKS}' if len(results) > 1 else ''}"
    return Content(
        "planning.html.j2",
        {
            "note": note,
            "results": best_marked(results),
            "differences": differences(found.comparisons, ""),
            "rest": rest,
        },
        f"{of_planning(run, found.rows[0]).text}.",
        [
            (f"{result.successes} of {result.episodes}", f"goals: {result.name}")
            for result in (trained or results)[:3]
        ],
        films,
    )


def compared(runs: Sequence[Run]) -> list[Section]:
    """A section for every set of at least two runs that met the same problems."""
    held = [(run, run.results) for run in runs if isinstance(run.results, Benchmark)]
    held = [(run, found) for run, found in held if not found.suite]  # each a comparison already
    rows = [(of_planning(run, row), (run, row)) for run, found in held for row in found.rows]
    groups = grouped(rows)
    sections, lone = [], []
    for group in groups:
        if len({run.name for run, _ in group.members}) < 2:
            lone.append((group.members[0][0].name, group))
            continue
        results = []
        for run, row in group.members:
            searched = f", {row.planner}" if row.planner else ""
            results.append(result_of(row, f"{run.name}{searched}"))
        view = {
            "note": f"{group.conditions.text}. {_BARS} {_MARKS}",
            "results": best_marked(results),
            "differences": None,
            "rest": "",
        }
        sections.append(Section(group.title("Comparison of success"), "planning.html.j2", view))
    why = "no other run met the same problems with the same search"
    lone = lone if len(held) > 1 else []
    return [*sections, *alone("Success rates that stand alone", why, lone)]


def best_marked(results: Sequence[Result]) -> list[Result]:
    """The rows, the best competitor marked where its interval leaves no doubt."""
    estimates = [
        None if result.name in EXPLANATIONS else Estimate(result.rate, result.interval)
        for result in results
    ]
    best = separated_best(estimates, higher_is_better=True)
    return [replace(result, best=index == best) for index, result in enumerate(results)]


def differences(
    comparisons: Sequence[Comparison], first: str
) -> dict[str, Sequence[Comparison]] | None:
    """Comparisons to show, and others to fold away.

    Args:
        comparisons: of rows; None is returned where there are none.
        first: the row whose comparisons are shown where there are many, as its own lead.
    """
    if not comparisons:
        return None
    if len(comparisons) <= _MOST_SHOWN or not first:
        return {"shown": comparisons, "folded": []}
    shown = [
        one if one.a == first else one.model_copy(update=_turned(one))
        for one in comparisons
        if first in (one.a, one.b)
    ]
    return {"shown": shown, "folded": [one for one in comparisons if first not in (one.a, one.b)]}


def _turned(one: Comparison) -> dict[str, object]:
    """The same comparison the other way round."""
    low, high = (-(edge or 0.0) for edge in one.ci95)
    return {"a": one.b, "b": one.a, "difference": -one.difference, "ci95": (high, low)}


def filmed(run: Run, film: Filmed) -> FilmRequest:
    """An episode that a benchmark filmed."""
    outcome = "reached the goal" if film.success else "did not reach the goal"
    return FilmRequest(
        title=f"{film.row}: {'a success' if film.success else 'a failure'}, episode {film.seed}",
        caption=(
            f"It {outcome}, in {counted(film.steps, 'step')}. From left to right: what happened; "
            "what the search for the plan in force considered last, drawn where the model expects "
            "things to go, the best in red; what that plan expected; where it ends; the goal."
        ),
        alt=f"Film of episode {film.seed} with the plans of {film.row}: the agent {outcome}",
        gif=run.directory / film.gif,
    )


def _film(run: Run, episode: Played) -> FilmRequest:
    outcome = "reached the goal" if episode.success else "did not reach the goal"
    known = [distance for distance in episode.distances if distance is not None]
    ended = ""
    if known:
        ended = f" Distance to the goal: {known[0]:.3f} at the start, {known[-1]:.3f} at the end."
    return FilmRequest(
        title=f"{run.name}: episode {episode.seed}",
        caption=f"It {outcome}, in {counted(episode.steps, 'step')}.{ended}",
        alt=(
            f"Film of episode {episode.seed} beside what its plans expected and its goal image: "
            f"the agent {outcome}"
        ),
        gif=run.directory / f"episode_{episode.seed}.gif",
    )
