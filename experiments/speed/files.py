"""Files of episodes for the rows, made once: what is in them does not matter for their speed."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from armillary.experiments.speed.cases import Setting
from armillary.world_models.data import EpisodeFile, EpisodeWriter, Layout, Provenance

OURS, REFERENCE, COMPRESSED = "ours", "reference", "gzip"
"""Layouts: ours, that of the published data, and ours compressed as others do it."""
_EPISODES, _LENGTH = 8, 16


def episodes_of_noise(setting: Setting, image_size: int, action_size: int) -> EpisodeFile:
    """A few short episodes of random pixels, enough to train on for some steps."""
    path = setting.scratch / f"noise-{image_size}-{action_size}.h5"
    if not path.exists():
        counts = {"train": _EPISODES, "val": 1}
        _write(setting, path, counts, _LENGTH, image_size, action_size, Layout.EPISODES)
    return EpisodeFile(path)


def videos(setting: Setting, layout: str, image_size: int = 64) -> Path:
    """The file that windows are read from."""
    size = setting.size
    path = setting.scratch / f"videos-{layout}-{image_size}.h5"
    if path.exists():
        return path
    if layout == COMPRESSED:
        _compress(videos(setting, OURS, image_size), path)
        return path
    kind = Layout.REFERENCE if layout == REFERENCE else Layout.EPISODES
    _write(setting, path, {"train": size.episodes}, size.length, image_size, 4, kind)
    return path


def _write(
    setting: Setting,
    path: Path,
    counts: dict[str, int],
    length: int,
    image_size: int,
    action_size: int,
    layout: Layout,
) -> None:
    random = np.random.default_rng(setting.seed)
    origin = Provenance("noise", "none", setting.seed, "none", "armillary bench")
    with EpisodeWriter(path, origin, layout=layout) as writer:
        for split, count in counts.items():
            for _ in range(count):
                shape = (length, image_size, image_size, 3)
                # Smooth enough to be compressed, as videos are.
                coarse = random.integers(0, 256, (*shape[:1], 8, 8, 3), np.uint8)
                frames = coarse.repeat(image_size // 8, 1).repeat(image_size // 8, 2)
                actions = random.normal(size=(length - 1, action_size)).astype(np.float32)
                writer.add(split, frames, actions)


def _compress(source: Path, target: Path) -> None:
    """Writes the arrays of a file again, without our attributes, in chunks of five frames."""
    with h5py.File(source, "r") as here, h5py.File(target, "w") as there:
        for split, group in here.items():
            for name, array in group.items():
                chunks = (1, min(5, array.shape[1]), *array.shape[2:])
                there.create_dataset(
                    f"{split}/{name}", data=array[()], chunks=chunks, compression=1
                )
