"""The verb ``benchmark``: success rates with intervals, every simulator on the same episodes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from omegaconf import DictConfig
from rich.table import Table

from armillary.agent.episodes import run_batches
from armillary.agent.statistics import wilson_interval
from armillary.experiments.command.console import counted, counting, results
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.stored import read, write
from armillary.experiments.evaluation.results import RESULTS, Benchmark, Row
from armillary.experiments.planning.entries import Entry, entry_of
from armillary.experiments.planning.goals import BY_TASK
from armillary.experiments.planning.kept import (
    Batch,
    Kept,
    Outcome,
    forget,
    identity_of,
    outcomes,
)
from armillary.experiments.planning.timing import plan_alone, seconds_alone, seconds_together
from armillary.experiments.running.provenance import made_with
from armillary.files import write_json
from armillary.reading import read_json
from armillary.seeds import played_episode_seed

EPISODES = "episodes.json"

log = logging.getLogger(__name__)


def run(config: DictConfig) -> list[Row]:
    """Plays all episodes with every simulator and writes ``results.json`` and ``episodes.json``.

    Both files are written anew after each simulator, and each batch of episodes is kept as it
    ends, so that an interruption loses one batch at most: the same command goes on after it.

    Raises:
        UsageError: nothing or something twice is to be compared, or settings do not fit.
        CheckpointError: a simulator is no checkpoint, or a damaged one.
    """
    output = Path(config.output).expanduser()
    names = [str(name) for name in config.simulators]
    if not names or len(set(names)) < len(names):
        raise UsageError(f"simulators must name each one once, and at least one; got {names}")
    entries = [entry_of(name, config) for name in names]
    finished, told = _finished(output)
    rows: list[Row] = []
    played: dict[str, list[dict[str, int]]] = {}
    for entry in entries:
        identity = identity_of(entry, config)
        if identity in finished and entry.name in told:
            log.info("%s: finished already", entry.name)
            rows.append(finished[identity])
            played[entry.name] = told[entry.name]
            continue
        episodes = play(entry, config, Kept(output, identity))
        row = summarise(entry, episodes, config)
        rows.append(row.model_copy(update={"identity": identity}))
        played[entry.name] = [episode.model_dump() for episode in episodes]
        write_json(output / EPISODES, played)
        write(output / RESULTS, Benchmark(rows=rows, **made_with(config)))
    forget(output)
    show(rows)
    return rows


def play(entry: Entry, config: DictConfig, kept: Kept) -> list[Outcome]:
    """Plays episode i at seed ``config.seed + i``, each exactly once, unless it is kept."""
    seeds = [played_episode_seed(config.seed, index) for index in range(config.episodes)]
    episodes, times = [], entry.planning_times
    for batch in kept.batches():
        episodes.extend(batch.episodes)
        times.extend(batch.plans)
    if episodes:
        log.info("%s: %d of %d episodes are kept", entry.name, len(episodes), len(seeds))
    left = seeds[len(episodes) :]
    progress, task = counting(entry.name, len(seeds))
    progress.advance(task, len(episodes))

    def ended(count: int) -> None:
        progress.advance(task, count)

    with entry.resources, progress:
        before = len(times)
        for found in run_batches(entry.make_env, entry.agent, left, config.batch, ended):
            batch = Batch(episodes=outcomes(found, entry.stride), plans=times[before:])
            kept.put(batch)
            episodes.extend(batch.episodes)
            before = len(times)
        plan_alone(entry, seeds[0])
    return episodes


def _finished(output: Path) -> tuple[dict[str, Row], dict[str, list[dict[str, int]]]]:
    """The rows that are there by their identities, and the episodes by simulator."""
    if not (output / RESULTS).is_file() or not (output / EPISODES).is_file():
        return {}, {}
    rows = read(output / RESULTS, Benchmark).rows
    return {row.identity: row for row in rows}, read_json(output / EPISODES, UsageError)


def summarise(entry: Entry, episodes: Sequence[Outcome], config: DictConfig) -> Row:
    """The row of an entry: success rate with its 95 % Wilson interval, steps of the task, times."""
    steps = [episode.steps for episode in episodes if episode.success]
    low, high = wilson_interval(len(steps), len(episodes))
    times = entry.planning_times
    return Row(
        task=config.task.name,
        simulator=entry.name,
        planner=entry.planner,
        episodes=len(episodes),
        successes=len(steps),
        success_rate=len(steps) / len(episodes),
        ci95=(low, high),
        steps_to_success=median(steps) if steps else None,
        success_by=entry.success_by,
        plan_seconds=seconds_together(times),
        plan_seconds_alone=seconds_alone(times),
        evaluations=median(one.evaluations for one in times) if times else None,
        seed=config.seed,
    )


def show(rows: Sequence[Row]) -> None:
    """Prints the rows as a table: seconds of a plan for each of several problems, then for one."""
    first = rows[0]
    judge = "" if first.success_by == BY_TASK else f", success by {first.success_by}"
    planners = dict.fromkeys(row.planner for row in rows if row.planner)
    search = "".join(f", planner {planner}" for planner in planners)
    title = f"{first.task}, {counted(first.episodes, 'episode')}, seed {first.seed}{search}{judge}"
    table = Table(title=title)
    table.add_column("simulator", overflow="fold")
    for heading in ("success", "95 %", "steps", "s/plan", "alone", "evals"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        low, high = row.ci95
        measured = (
            (row.steps_to_success, "g"),
            (row.plan_seconds, ".3f"),
            (row.plan_seconds_alone, ".3f"),
            (row.evaluations, ".0f"),
        )
        table.add_row(
            row.simulator,
            f"{row.success_rate:.0%}",
            f"{low:.0%} to {high:.0%}",
            *("-" if value is None else format(value, digits) for value, digits in measured),
        )
    results.print(table)
