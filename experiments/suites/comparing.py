"""Rows on the same episodes: differences with exact intervals, and models trained several times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from pydantic import ValidationError

from armillary.agent.statistics import episodes_needed, paired_interval
from armillary.experiments.command.errors import UsageError
from armillary.experiments.evaluation.success import Comparison, Row, Trainings
from armillary.experiments.planning.kept import Outcome
from armillary.reading import read_json

EPISODES = "episodes.json"

Played = Mapping[str, Sequence[Outcome]]
"""The episodes of rows, by their labels."""


def played_in(directory: Path) -> dict[str, list[Outcome]]:
    """The episodes of every row of a run.

    Raises:
        UsageError: the file is missing or damaged.
    """
    path = directory / EPISODES
    held = read_json(path, UsageError)
    try:
        return {
            name: [Outcome.model_validate(one) for one in episodes]
            for name, episodes in held.items()
        }
    except (AttributeError, TypeError, ValidationError) as error:
        raise UsageError(f"{path} is damaged: it has no episodes by simulator") from error


def compared(rows: Sequence[Row], played: Played) -> list[Comparison]:
    """All pairs of rows of one task that differ in one thing: the model, or the planner.

    Raises:
        UsageError: two of one task did not play the same episodes, or were judged differently.
    """
    return [
        _difference(a, b, played)
        for a, b in combinations(rows, 2)
        if a.task == b.task and _alike(a, b)
    ]


def trainings(rows: Sequence[Row]) -> list[Trainings]:
    """Of every model that has several rows with the same task and planner, by training."""
    groups: dict[tuple[str, str, str | None], list[float]] = {}
    for row in rows:
        key = (row.task, row.model or row.simulator, row.planner)
        groups.setdefault(key, []).append(row.success_rate)
    return [
        Trainings(
            task=task,
            model=model,
            planner=planner,
            rates=rates,
            mean=sum(rates) / len(rates),
            range=(min(rates), max(rates)),
        )
        for (task, model, planner), rates in groups.items()
        if len(rates) > 1
    ]


def _alike(a: Row, b: Row) -> bool:
    """Whether two rows share what plans or what is planned with; floors are compared with all."""
    same = (a.model or a.simulator) == (b.model or b.simulator)
    return same or a.planner == b.planner or None in (a.planner, b.planner)


def _difference(a: Row, b: Row, played: Played) -> Comparison:
    pairs = list(zip(played[a.label], played[b.label], strict=False))
    same = all(one.seed == other.seed for one, other in pairs)
    if not same or len(played[a.label]) != len(played[b.label]) or a.success_by != b.success_by:
        raise UsageError(
            f"{a.label} and {b.label} cannot be compared: {_told(a)} and {_told(b)}; a comparison "
            "needs the same episodes under the same protocol"
        )
    only_a = sum(one.success and not other.success for one, other in pairs)
    only_b = sum(other.success and not one.success for one, other in pairs)
    return Comparison(
        a=a.label,
        b=b.label,
        difference=(only_a - only_b) / len(pairs),
        ci95=paired_interval(only_a, only_b, len(pairs)),
        episodes=len(pairs),
        episodes_needed=episodes_needed(only_a, only_b, len(pairs)),
    )


def _told(row: Row) -> str:
    return f"{row.episodes} episodes from seed {row.seed}, success by {row.success_by}"
