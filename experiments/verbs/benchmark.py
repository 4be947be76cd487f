"""The verb ``benchmark``: success rates with intervals, every simulator on the same episodes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from omegaconf import DictConfig
from rich.table import Table

from armillary.agent.episodes import Episode, run_episodes
from armillary.agent.statistics import wilson_interval
from armillary.experiments.command.console import counted, counting, results
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.provenance import made_with
from armillary.experiments.command.stored import write
from armillary.experiments.evaluation.results import RESULTS, Benchmark, Row
from armillary.experiments.planning.entries import Entry, entry_of
from armillary.experiments.planning.goals import BY_TASK
from armillary.files import write_json
from armillary.seeds import played_episode_seed


def run(config: DictConfig) -> list[Row]:
    """Plays all episodes with every simulator and writes ``results.json`` and ``episodes.json``.

    Both files are written anew after each simulator, so that an interruption loses one at most.

    Raises:
        UsageError: nothing or something twice is to be compared, or settings do not fit.
        CheckpointError: a simulator is no checkpoint, or a damaged one.
    """
    output = Path(config.output).expanduser()
    names = [str(name) for name in config.simulators]
    if not names or len(set(names)) < len(names):
        raise UsageError(f"simulators must name each one once, and at least one; got {names}")
    entries = [entry_of(name, config) for name in names]
    rows: list[Row] = []
    played: dict[str, list[dict[str, int]]] = {}
    for entry in entries:
        episodes = play(entry, config)
        rows.append(summarise(entry, episodes, config))
        played[entry.name] = [
            {"seed": e.seed, "success": e.success, "steps": e.steps} for e in episodes
        ]
        write_json(output / "episodes.json", played)
        write(output / RESULTS, Benchmark(rows=rows, **made_with(config)))
    show(rows)
    return rows


def play(entry: Entry, config: DictConfig) -> list[Episode]:
    """Plays episode i at seed ``config.seed + i``, each exactly once."""
    seeds = [played_episode_seed(config.seed, index) for index in range(config.episodes)]
    progress, task = counting(entry.name, len(seeds))
    with entry.resources, progress:
        return run_episodes(
            entry.make_env, entry.agent, seeds, config.batch, lambda n: progress.advance(task, n)
        )


def summarise(entry: Entry, episodes: Sequence[Episode], config: DictConfig) -> Row:
    """The row of an entry: success rate with its 95 % Wilson interval, steps and times."""
    steps = [episode.steps for episode in episodes if episode.success]
    low, high = wilson_interval(len(steps), len(episodes))
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
        plan_seconds=median(entry.plan_seconds) if entry.plan_seconds else None,
        seed=config.seed,
    )


def show(rows: Sequence[Row]) -> None:
    """Prints the rows as a table."""
    first = rows[0]
    judge = "" if first.success_by == BY_TASK else f", success by {first.success_by}"
    title = f"{first.task}, {counted(first.episodes, 'episode')}, seed {first.seed}{judge}"
    table = Table(title=title)
    table.add_column("simulator", overflow="fold")
    for heading in ("planner", "success", "95 % interval", "steps", "s per plan"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        low, high = row.ci95
        steps, seconds = row.steps_to_success, row.plan_seconds
        table.add_row(
            row.simulator,
            row.planner or "-",
            f"{row.success_rate:.0%}",
            f"{low:.0%} to {high:.0%}",
            "-" if steps is None else f"{steps:g}",
            "-" if seconds is None else f"{seconds:.3f}",
        )
    results.print(table)
