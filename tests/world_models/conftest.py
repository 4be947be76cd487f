"""A small file of episodes: a square whose colour the actions change, on a dark floor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from armillary.world_models.data import EpisodeFile, EpisodeWriter, Provenance

SIZE, LENGTH = 8, 7


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Threads that wait for each other are what a model of 400 parameters spends its time on."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def episodes(tmp_path_factory: pytest.TempPathFactory) -> EpisodeFile:
    """24 episodes to train on and 6 held out, 7 frames of 8 px each, with masks."""
    path: Path = tmp_path_factory.mktemp("data") / "square.h5"
    random = np.random.default_rng(0)
    provenance = Provenance(
        "square", "random", 0, "change of red and green by 60 grey levels", "pytest"
    )
    with EpisodeWriter(path, provenance) as writer:
        for split, count in (("train", 24), ("val", 6)):
            for _ in range(count):
                writer.add(split, *_episode(random))
    return EpisodeFile(path)


def _episode(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    actions = random.uniform(-1, 1, (LENGTH - 1, 2)).astype(np.float32)
    changes = 60 * np.vstack([[0, 0], actions]).cumsum(0)
    colours = (random.uniform(80, 200, 2) + changes).clip(0, 255)
    frames = np.full((LENGTH, SIZE, SIZE, 3), 40, np.uint8)
    frames[:, 2:6, 2:6, :2] = colours[:, None, None].astype(np.uint8)
    masks = np.zeros((LENGTH, SIZE, SIZE), np.uint8)
    masks[:, 2:6, 2:6] = 1
    return frames, actions, masks
