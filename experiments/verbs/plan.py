"""The verb ``plan``: episodes of one planning agent, filmed."""

from __future__ import annotations

import logging
from pathlib import Path

from omegaconf import DictConfig

from armillary.experiments.command.console import counted, counting
from armillary.experiments.command.stored import write
from armillary.experiments.evaluation.results import RESULTS
from armillary.experiments.evaluation.success import Planning, Played
from armillary.experiments.films.drawing import write_gif
from armillary.experiments.films.figures import plan_figure
from armillary.experiments.planning.entries import entry_of
from armillary.experiments.planning.kept import outcomes
from armillary.experiments.planning.planned_episode import PlannedEpisode, play
from armillary.experiments.planning.timing import plan_alone
from armillary.experiments.running.provenance import made_with
from armillary.experiments.verbs.benchmark import show, summarise
from armillary.seeds import played_episode_seed

log = logging.getLogger(__name__)

_SIDE, _FPS = 192, 4


def run(config: DictConfig) -> list[PlannedEpisode]:
    """Plays, and writes ``results.json`` and one GIF per episode.

    A film shows what happened beside what the plan in force expected, where it would end, the goal,
    and whether the goal was reached.

    Raises:
        CheckpointError: there is no such checkpoint, or it is damaged.
        UsageError: settings do not fit.
    """
    output = Path(config.output).expanduser()
    entry = entry_of(str(config.checkpoint), config)
    seeds = [played_episode_seed(config.seed, index) for index in range(config.episodes)]
    progress, task = counting(entry.name, len(seeds))
    with entry.resources, progress:
        planned = play(
            *(entry.make_env, entry.agent, entry.simulator, seeds, config.batch),
            lambda ended: progress.advance(task, len(ended)),
        )
        plan_alone(entry, seeds[0])
    row = summarise(entry, outcomes([one.episode for one in planned], entry.stride), config)
    played = []
    for one in planned:
        episode = one.episode
        write_gif(output / f"episode_{episode.seed}.gif", plan_figure(one, _SIDE).film, _FPS)
        played.append(
            Played(
                seed=episode.seed,
                success=episode.success,
                steps=episode.steps,
                actions=episode.actions.tolist(),
                distances=[round(distance, 4) for distance in one.distances],
            )
        )
    write(output / RESULTS, Planning(rows=[row], episodes=played, **made_with(config)))
    show([row])
    log.info("%s in %s", counted(len(played), "film"), output)
    return planned
