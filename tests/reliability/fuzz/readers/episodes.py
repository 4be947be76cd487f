"""HDF5 files of episodes in both layouts, and those that goals are drawn from."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import gymnasium as gym
import numpy as np

from armillary.envs.image_goal.goals import GoalSource
from armillary.experiments.evaluation.model_data import describe
from armillary.world_models.data.identity import content_digest
from armillary.world_models.data.reader import EpisodeFile
from armillary.world_models.data.sources.reference_file import ReferenceFile
from armillary.world_models.data.writer import EpisodeWriter, Provenance
from tests.reliability.fuzz.mutate import hdf5
from tests.reliability.fuzz.reader import LOOKED_AT, Files, Reader, replaced

FILE = "case.h5"
_SIZE = 4
"""Pixels."""


def _made(
    leading: tuple[int, int], steps: int, kind: str, channels: int | None, version: str = "earliest"
) -> bytes:
    """A file whose arrays start with ``leading``."""
    draw = np.random.default_rng(0)
    arrays = {}
    for split in ("train", "val"):
        frames = draw.integers(0, 256, (*leading, _SIZE, _SIZE, 3)).astype("u1")
        arrays[f"{split}/imgs"] = frames if kind == "u1" else (frames / 255).astype(kind)
        shape = (leading[0], steps) if channels is None else (steps, leading[1])
        arrays[f"{split}/actions"] = draw.normal(size=(*shape, 2)).astype("f4")
        if split == "val":
            continue
        masks = draw.integers(0, 3, (*leading, _SIZE, _SIZE)).astype("u1")
        if channels == 1:
            masks = masks[..., None]
        elif channels:
            masks = np.eye(channels, dtype="f4")[masks]
        arrays[f"{split}/masks"] = masks
        arrays[f"{split}/poses"] = draw.normal(size=(*leading, 3))
    own = {"format": "armillary-episodes", "format_version": 1, "layout": "episodes"}
    more = {"seed": 0, "environment_frameskip": 2, "action_meaning": "x"}
    return hdf5.content_of(
        arrays, {**own, **more} if channels is None else {**own, "layout": "reference"}, version
    )


def _written(folder: Path) -> bytes:
    """A file of the writer."""
    with EpisodeWriter(folder / FILE, Provenance("env", "random", 0, "x", "collect")) as writer:
        for split in ("train", "val"):
            for seed in range(2):
                draw = np.random.default_rng(seed)
                frames = draw.integers(0, 256, (3, _SIZE, _SIZE, 3)).astype("u1")
                actions = draw.normal(size=(2, 2)).astype("f4")
                writer.add(split, frames, actions, frames[..., 0] % 3)
    return (folder / FILE).read_bytes()


@cache
def _own() -> list[Files]:
    with tempfile.TemporaryDirectory() as folder:
        written = _written(Path(folder))
    kinds = (("u1", "earliest"), ("f4", "earliest"), ("f4", "v110"))
    plain = [_made((2, 3), 2, kind, None, version) for kind, version in kinds]
    return [{FILE: content} for content in (written, *plain)]


def _goals() -> list[Files]:
    """Those whose frames are stored as bytes."""
    return _own()[:2]


@cache
def _reference() -> list[Files]:
    contents = [
        _made((3, 2), steps, kind, channels, version)
        for steps, kind, channels in ((2, "u1", 3), (3, "f4", 3), (3, "u1", 1))
        for version in ("earliest", "v110")
    ]
    return [{FILE: content} for content in contents]


def damage(random: Random, files: Files) -> Files:
    """The file damaged."""
    return replaced(random, files, FILE, hdf5.damaged(random, files[FILE]))


def _read(folder: Path) -> object:
    episodes = EpisodeFile(folder / FILE)
    seen: list[object] = [repr(episodes), describe(episodes), content_digest(folder / FILE)]
    for name, info in episodes.splits.items():
        if not info.episodes:
            continue
        split = episodes.split(name)
        for episode in range(min(len(split), 3)):
            seen += [split.frames(episode), split.actions(episode)]
            seen += [split.extra(extra, episode) for extra in info.extras]
            if split.has_masks:
                seen.append(split.labels(episode))
        seen += [split.nbytes(), split.all_actions]
    return seen


def _convert(folder: Path) -> object:
    source = ReferenceFile(folder / FILE, "towel", "human", "x")
    seen = []
    for part in source.parts():
        for episode in source.episodes(part):
            seen.append(episode)
            if len(seen) > 8:
                break
    return seen


def _goal(folder: Path) -> object:
    path = str(folder / FILE)
    source = GoalSource(path, 1, _NO_ENV, _never, _SIZE)
    return [source.draw(0, np.random.default_rng(seed)) for seed in range(2)]


class _Nothing(gym.Env):
    """An environment that is not used."""


_NO_ENV = _Nothing()


def _never(seed: int, steps: int):
    raise AssertionError("the goal is in the file")


_READS: dict[str, tuple[Callable[[], list[Files]], Callable[[Path], object]]] = {
    "episodes-h5": (_own, _read),
    "episodes-h5-reference": (_reference, _read),
    "towel-pick-h5": (_reference, _convert),
    "goal-h5": (_goals, _goal),
}
READERS = tuple(
    Reader(name, make, damage, read, share=LOOKED_AT) for name, (make, read) in _READS.items()
)
