"""Films chosen episodes of an agent that plans: plans, candidates and what happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from armillary.agent.episodes import Episode
from armillary.experiments.films.drawing import write_gif
from armillary.experiments.films.figures import plan_figure
from armillary.experiments.planning.entries import Entry
from armillary.experiments.planning.planned_episode import play

_SIDE, _FPS = 224, 3


def filmed(entry: Entry, seeds: Sequence[int], folder: Path) -> Iterator[tuple[Episode, Path]]:
    """Plays episodes once more, one by one, and writes a GIF of each.

    Args:
        entry: that plans, freshly made; it is closed afterwards.
        seeds: of the episodes.
        folder: of the GIFs; made if it is missing.

    Yields:
        What happened, which is what happened before, and the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with entry.resources:
        found = play(entry.make_env, entry.agent, entry.simulator, seeds, candidates=True)
    for one in found:
        path = folder / f"{one.episode.seed}.gif"
        write_gif(path, plan_figure(one, _SIDE).film, _FPS)
        yield one.episode, path
