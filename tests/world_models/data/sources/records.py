"""Writes TFRecords as BAIR robot pushing is distributed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

LENGTH = 30
Features = dict[str, tuple[object, str]]


def make_record(seed: int) -> dict[str, np.ndarray]:
    """One sequence of both cameras."""
    rng = np.random.default_rng(seed)
    return {
        "image_aux1": rng.integers(0, 256, (LENGTH, 64, 64, 3), dtype=np.uint8),
        "image_main": rng.integers(0, 256, (LENGTH, 64, 64, 3), dtype=np.uint8),
        "action": rng.normal(size=(LENGTH, 4)).astype(np.float32),
        "endeffector_pos": rng.normal(size=(LENGTH, 3)).astype(np.float32),
    }


def features_of(record: dict[str, np.ndarray]) -> Features:
    """The features of a ``tf.train.Example``."""
    features: Features = {}
    for t in range(LENGTH):
        for camera in ("image_aux1", "image_main"):
            features[f"{t}/{camera}/encoded"] = ([record[camera][t].tobytes()], "byte")
        for vector in ("action", "endeffector_pos"):
            features[f"{t}/{vector}"] = (record[vector][t], "float")
    return features


def write_records(
    path: Path, seeds: range, change: Callable[[int, Features], object] | None = None
) -> None:
    """Writes a file of one record per seed, each after ``change`` was called on its features."""
    writer = pytest.importorskip("tfrecord.writer").TFRecordWriter(str(path))
    for number, seed in enumerate(seeds):
        features = features_of(make_record(seed))
        if change is not None:
            change(number, features)
        writer.write(features)
    writer.close()


def write_bair(root: Path) -> Path:
    """Train files of 3 + 2 + 4 records (seeds 0 .. 8) and a test file of 2 (seeds 9, 10)."""
    folder = root / "softmotion30_44k"
    for split in ("train", "test"):
        (folder / split).mkdir(parents=True)
    write_records(folder / "train" / "traj_0_to_2.tfrecords", range(3))
    write_records(folder / "train" / "traj_3_to_4.tfrecords", range(3, 5))
    write_records(folder / "train" / "traj_10_to_13.tfrecords", range(5, 9))
    write_records(folder / "test" / "traj_0_to_1.tfrecords", range(9, 11))
    return folder
