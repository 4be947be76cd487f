"""The verb ``plan``: episodes of one planning agent, filmed."""

from __future__ import annotations

import logging
from pathlib import Path

from omegaconf import DictConfig

from armillary.agent.episodes import Episode
from armillary.experiments.command.provenance import made_with
from armillary.experiments.command.stored import write
from armillary.experiments.evaluation.results import RESULTS, Planning, Played
from armillary.experiments.films.drawing import Row, Tile, sheet, write_gif
from armillary.experiments.palette import REAL, SUCCESS
from armillary.experiments.planning.entries import entry_of
from armillary.experiments.verbs.benchmark import play, show, summarise

log = logging.getLogger(__name__)

_SIDE, _FPS = 256, 4


def run(config: DictConfig) -> list[Episode]:
    """Plays, and writes ``results.json`` and one GIF per episode, the goal beside what happened.

    Raises:
        CheckpointError: there is no such checkpoint, or it is damaged.
        UsageError: settings do not fit.
    """
    output = Path(config.output).expanduser()
    agent = entry_of(str(config.checkpoint), config)
    episodes = play(agent, config)
    row = summarise(agent, episodes, config)
    for episode in episodes:
        film(output / f"episode_{episode.seed}.gif", episode)
    played = [
        Played(seed=e.seed, success=e.success, steps=e.steps, actions=e.actions.tolist())
        for e in episodes
    ]
    write(output / RESULTS, Planning(rows=[row], episodes=played, **made_with(config)))
    show([row])
    log.info("%d films in %s", len(episodes), output)
    return episodes


def film(path: Path, episode: Episode) -> None:
    """Writes a GIF of an episode next to its goal."""
    last = len(episode.frames) - 1
    sheets = []
    for step, frame in enumerate(episode.frames):
        reached = episode.success and step == last
        now = Tile(frame, SUCCESS if reached else REAL, "reached" if reached else f"step {step}")
        row = Row("", [now, Tile(episode.goal_image, REAL, "goal")])
        sheets.append(sheet([row], side=_SIDE, title=f"episode {episode.seed}"))
    write_gif(path, sheets, _FPS)
