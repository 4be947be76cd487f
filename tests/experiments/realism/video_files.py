"""Small files of random videos."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np


def random_videos(count: int, seed: int = 0, frames: int = 10, size: int = 32) -> np.ndarray:
    """(count, frames, size, size, 3) uint8: squares of random colours that move to the right."""
    rng = np.random.default_rng(seed)
    videos = np.full((count, frames, size, size, 3), 200, np.uint8)
    for video in videos:
        color, (top, speed) = rng.integers(256, size=3), rng.integers((0, 0), (size - 8, 3))
        for t in range(frames):
            left = (t * speed) % (size - 8)
            video[t, top : top + 8, left : left + 8] = color
    return videos


def write(path: Path, videos: np.ndarray, name: str = "videos") -> Path:
    """A file with one array."""
    with h5py.File(path, "w") as file:
        file[name] = videos
    return path
