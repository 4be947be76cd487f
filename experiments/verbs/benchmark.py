"""The verb ``benchmark``: success rates with intervals, every simulator on the same episodes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from omegaconf import DictConfig
from rich.box import SIMPLE_HEAD
from rich.table import Table

from armillary.agent.episodes import Episode, run_batches
from armillary.agent.statistics import wilson_interval
from armillary.experiments.command.console import counted, counting, results
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.stored import read, write
from armillary.experiments.command.sweep import command_line
from armillary.experiments.evaluation.card import Card, keep, words_of
from armillary.experiments.evaluation.results import RESULTS
from armillary.experiments.evaluation.success import Benchmark, Filmed, Played, Row, Schedule
from armillary.experiments.films.chosen import filmed
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
from armillary.experiments.suites import running
from armillary.experiments.suites.comparing import EPISODES, compared, played_in
from armillary.files import write_json
from armillary.seeds import played_episode_seed
from armillary.world_models.checkpoints.locate import WEIGHTS_FILE

log = logging.getLogger(__name__)


def run(config: DictConfig) -> list[Row]:
    """Plays all episodes with every simulator and writes ``results.json`` and ``episodes.json``.

    Both files are written anew after each simulator, and each episode is kept as it ends, so that
    the same command goes on after an interruption and repeats none. A suite is run row by row.

    Raises:
        UsageError: nothing or something twice is to be compared, or settings do not fit.
        CheckpointError: a simulator is no checkpoint, or a damaged one.
    """
    rows = running.run(config, _run) if config.choices.get("suite") else _run(config)
    for task in dict.fromkeys(row.task for row in rows):
        show([row for row in rows if row.task == task])
    return rows


def _run(config: DictConfig) -> list[Row]:
    output = Path(config.output).expanduser()
    names = [str(name) for name in config.simulators]
    if not names or len(set(names)) < len(names):
        raise UsageError(f"simulators must name each one once, and at least one; got {names}")
    entries = [entry_of(name, config) for name in names]
    if config.card:
        words_of(command_line()[0])  # what cannot be kept is told before anything is played
    finished, told = _finished(output)
    rows: list[Row] = []
    films: list[Filmed] = []
    played: dict[str, list[Outcome]] = {}
    for entry in entries:
        identity = identity_of(entry, config)
        known = finished and next((one for one in finished.rows if one.identity == identity), None)
        if finished and known and entry.name in told:
            log.info("%s: finished already", entry.name)
            row, played[entry.name] = known, told[entry.name]
            films += [one for one in finished.films if one.row == entry.name]
        else:
            episodes = play(entry, config, Kept(output, identity))
            row = summarise(entry, episodes, config).model_copy(update={"identity": identity})
            played[entry.name] = episodes
            films += _films(entry, episodes, config, output)
            _keep_card(entry, row, episodes, config)
        rows.append(row)
        kept = {name: [one.model_dump() for one in found] for name, found in played.items()}
        write_json(output / EPISODES, kept)
        comparisons = compared(rows, played) if len(rows) == len(entries) else []
        found = Benchmark(rows=rows, comparisons=comparisons, films=films, **made_with(config))
        write(output / RESULTS, found)
    forget(output)
    return rows


def play(entry: Entry, config: DictConfig, kept: Kept) -> list[Outcome]:
    """Plays episode i at seed ``config.seed + i``, each exactly once, unless it is kept."""
    seeds = [played_episode_seed(config.seed, index) for index in range(config.episodes)]
    episodes: dict[int, Outcome] = {}
    times = entry.planning_times
    for batch in kept.batches():
        episodes |= {episode.seed: episode for episode in batch.episodes}
        times.extend(batch.plans)
    if episodes:
        log.info("%s: %d of %d episodes are kept", entry.name, len(episodes), len(seeds))
    progress, task = counting(entry.name, len(seeds))
    progress.advance(task, len(episodes))
    together, before = seeds, len(times)

    def ended(found: Sequence[Episode]) -> None:
        told = outcomes(found, entry.stride)
        episodes.update({episode.seed: episode for episode in told})
        # Plans are kept with the last of the episodes that they were made for: with the others
        # alone, those for the rest are made again.
        over = all(seed in episodes for seed in together)
        kept.put(Batch(episodes=told, plans=times[before:] if over else []))
        progress.advance(task, len(found))

    with entry.resources, progress:
        for first in range(0, len(seeds), config.batch):
            together, before = seeds[first : first + config.batch], len(times)
            left = [seed for seed in together if seed not in episodes]
            make, agent = entry.make_env, entry.agent
            for _ in run_batches(make, agent, left, config.batch, ended, config.play_on):
                pass
        plan_alone(entry, seeds[0])
    return [episodes[seed] for seed in seeds]


def _finished(output: Path) -> tuple[Benchmark | None, dict[str, list[Outcome]]]:
    """What is there already, and its episodes by simulator."""
    if not (output / RESULTS).is_file() or not (output / EPISODES).is_file():
        return None, {}
    return read(output / RESULTS, Benchmark), played_in(output)


def _films(
    entry: Entry, episodes: Sequence[Outcome], config: DictConfig, output: Path
) -> list[Filmed]:
    """Films of an entry that plans: its first successes and failures, played once more."""
    if not config.films or entry.simulator is None:
        return []
    folder = output / "films" / str(list(config.simulators).index(entry.name))
    wanted = [
        one.seed
        for success in (True, False)
        for one in [one for one in episodes if one.success == success][: config.films]
    ]
    return [
        Filmed(
            row=entry.name,
            seed=episode.seed,
            success=episode.success,
            steps=episode.steps * entry.stride,
            gif=gif.relative_to(output).as_posix(),
        )
        for episode, gif in filmed(entry_of(entry.name, config), wanted, folder)
    ]


def _keep_card(entry: Entry, row: Row, episodes: Sequence[Outcome], config: DictConfig) -> None:
    """Writes the row of a checkpoint beside its weights, if that was asked for."""
    if not config.card or not entry.weights:
        return
    made = made_with(config)
    told = Card(
        weights=entry.weights[WEIGHTS_FILE],
        words=words_of(command_line()[0]),
        row=row,
        episodes=[Played(seed=e.seed, success=e.success, steps=e.steps) for e in episodes],
        plugins=[str(name) for name in config.plugins],
        commit=made["commit"],
        versions=made["versions"],
    )
    log.info("the card is %s", keep(entry.name, told))


def summarise(entry: Entry, episodes: Sequence[Outcome], config: DictConfig) -> Row:
    """The row of an entry: success rate with its 95 % Wilson interval, steps of the task, times."""
    steps = [episode.steps for episode in episodes if episode.success]
    held = [episode.held for episode in episodes if episode.held is not None]
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
        schedule=schedule_of(entry, config),
        held_at_end=sum(held) / len(episodes) if len(held) == len(episodes) else None,
        steps_to_success=median(steps) if steps else None,
        success_by=entry.success_by,
        plan_seconds=seconds_together(times),
        plan_seconds_alone=seconds_alone(times),
        evaluations=median(one.evaluations for one in times) if times else None,
        seed=config.seed,
        **_measures(episodes),
    )


def _measures(episodes: Sequence[Outcome]) -> dict[str, Any]:
    """What the task measures in every episode, the means by name."""
    first, *rest = (episode.measures for episode in episodes)
    names = [name for name in first if all(name in other for other in rest)]
    if taken := [name for name in names if name in Row.model_fields]:
        raise UsageError(f"a task's measures need names of their own, rows have {taken}")
    return {name: fmean(episode.measures[name] for episode in episodes) for name in names}


def schedule_of(entry: Entry, config: DictConfig) -> Schedule | None:
    """How often an entry plans."""
    if entry.planner is None:
        return None
    return Schedule(
        horizon=config.horizon * entry.stride, executed=config.replan_interval * entry.stride
    )


def show(rows: Sequence[Row]) -> None:
    """Prints the rows as a table: seconds of a plan for each of several problems, then for one."""
    first = rows[0]
    judge = "" if first.success_by == BY_TASK else f", success by {first.success_by}"
    planners = dict.fromkeys(row.planner for row in rows if row.planner)
    search = "".join(f", planner {planner}" for planner in planners) if not first.name else ""
    title = f"{first.task}, {counted(first.episodes, 'episode')}, seed {first.seed}{search}{judge}"
    holds = any(row.held_at_end is not None for row in rows)
    # 80 columns hold such names as pretrained/push_blocks.
    table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("simulator", overflow="fold", min_width=9)
    measures = list(dict.fromkeys(name for row in rows for name in row.measures))
    judged = (*["held"] * holds, *measures)
    for heading in ("success", "95 %", *judged, "steps", "s/plan", "alone", "evals"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        low, high = row.ci95
        measured = (
            *[(row.held_at_end, ".0%")] * holds,
            *[(row.measures.get(name), ".0%") for name in measures],
            (row.steps_to_success, "g"),
            (row.plan_seconds, ".3g"),
            (row.plan_seconds_alone, ".3g"),
            (row.evaluations, ".0f"),
        )
        table.add_row(
            row.label,
            f"{row.success_rate:.0%}",
            f"{low:.0%}-{high:.0%}",
            *("-" if value is None else format(value, digits) for value, digits in measured),
        )
    results.print(table)
