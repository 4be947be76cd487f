"""Small random episodes, and the files that hold them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from armillary.world_models.data import EpisodeWriter, Layout, Provenance

PROVENANCE = Provenance(
    environment="armillary/PushBlocks-v0",
    policy="scripted",
    seed=3,
    action_meaning="pusher displacement",
    command="armillary collect task=push_blocks",
    extra={"num_blocks": 3},
)


@dataclass(frozen=True)
class Clips:
    """N episodes of T frames as plain arrays, episodes first."""

    frames: np.ndarray
    actions: np.ndarray
    masks: np.ndarray
    poses: np.ndarray


def make_clips(count: int, length: int = 7, size: int = 8, seed: int = 0) -> Clips:
    """Episodes of noise that use every value and every label."""
    rng = np.random.default_rng(seed)
    return Clips(
        rng.integers(0, 256, (count, length, size, size, 3), dtype=np.uint8),
        rng.normal(size=(count, length - 1, 2)).astype(np.float32),
        rng.integers(0, 4, (count, length, size, size), dtype=np.uint8),
        rng.normal(size=(count, length, 5)).astype(np.float32),
    )


def write_clips(
    path: Path, splits: dict[str, Clips], layout: Layout = Layout.EPISODES, masks: bool = True
) -> None:
    """Writes episodes with the writer under test."""
    with EpisodeWriter(path, PROVENANCE, layout=layout) as writer:
        for split, clips in splits.items():
            for i in range(len(clips.frames)):
                writer.add(
                    split,
                    clips.frames[i],
                    clips.actions[i],
                    clips.masks[i] if masks else None,
                    {"poses": clips.poses[i]},
                )


@pytest.fixture
def clips() -> dict[str, Clips]:
    return {"train": make_clips(5, seed=1), "val": make_clips(3, seed=2)}


@pytest.fixture
def episode_path(tmp_path: Path, clips: dict[str, Clips]) -> Path:
    """A file in our own layout with masks and poses."""
    path = tmp_path / "episodes.h5"
    write_clips(path, clips)
    return path


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Clips], Path]:
    """Writes clips without masks as the train split of a new file."""

    def write(clips: Clips) -> Path:
        path = tmp_path / "written.h5"
        write_clips(path, {"train": clips}, masks=False)
        return path

    return write
