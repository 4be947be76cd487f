"""BAIR robot pushing (softmotion30_44k): TFRecords of 30 frames from two cameras."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from armillary.errors import ArmillaryError
from armillary.plugins import register
from armillary.suggestions import holds, listed, suggest
from armillary.world_models.data.schema import SPLITS, DataError
from armillary.world_models.data.sources.source import Episode, Part, Source, stamp
from armillary.world_models.data.sources.tfrecords import Feature, read_examples

LENGTH, SIZE = 30, 64
FOLDER = "softmotion30_44k"
CAMERAS = {"aux1": "image_aux1", "main": "image_main"}
SECOND = "imgs_main"
"""The array of the second camera's frames where both are converted."""
POSITION = "endeffector_pos"


@register("source", "bair_pushing")
@dataclass(frozen=True)
class BairPushing(Source):
    """A folder of TFRecords as published with Ebert et al. 2017 (arXiv:1710.05268).

    ``path`` holds the folders train and test (and val, where somebody has made one), or a folder
    softmotion30_44k that does. A record is a ``tf.train.Example`` with, for t = 0 .. 29,
    ``t/image_aux1/encoded`` and ``t/image_main/encoded`` (12,288 bytes, 64 x 64 x 3, not
    compressed), ``t/action`` (4 floats) and ``t/endeffector_pos`` (3 floats).

    An episode has 30 frames, 29 actions (the last one of a record leads nowhere) and the extra
    array ``endeffector_pos`` (30, 3).

    Attributes:
        camera: "aux1", whose frames the field uses; "main"; or "both": aux1 as frames and main as
            the extra array ``imgs_main`` (30, 64, 64, 3) uint8.
    """

    camera: str = "aux1"

    def __post_init__(self) -> None:
        if self.camera not in (*CAMERAS, "both"):
            raise ArmillaryError(
                f"unknown camera {self.camera!r}; {suggest(self.camera, [*CAMERAS, 'both'])}"
            )

    def parts(self) -> list[Part]:
        """One part for every file."""
        if not self.path.is_dir():
            raise DataError(self.path, "there is no such folder")
        root = next(
            (root for root in (self.path, self.path / FOLDER) if (root / "train").is_dir()),
            self.path,
        )
        parts = [
            Part(split, path, stamp(path), expected=_promised(path))
            for split in SPLITS
            for path in sorted((root / split).glob("[!.]*.tfrecords"), key=_order)
        ]
        missing = {"train", "test"} - {part.split for part in parts}
        if missing:
            raise DataError(
                root,
                f"BAIR robot pushing has folders train and test with files *.tfrecords; there are "
                f"none in {' and '.join(sorted(missing))}; {_advice(root, min(missing))}",
            )
        return parts

    def episodes(self, part: Part) -> Iterator[Episode]:
        """One episode for every record."""
        number = -1
        for number, features in enumerate(read_examples(part.path)):
            try:
                yield self._episode(features)
            except ArmillaryError as error:
                raise DataError(part.path, f"record {number}: {error}") from error
        if number < 0:
            raise DataError(part.path, "the file holds no record")

    def _episode(self, features: Mapping[str, Feature]) -> Episode:
        first = CAMERAS["main" if self.camera == "main" else "aux1"]
        extras = {POSITION: _vectors(features, POSITION, 3)}
        if self.camera == "both":
            extras[SECOND] = _images(features, CAMERAS["main"])
        actions = _vectors(features, "action", 4)[:-1]
        return Episode(_images(features, first), actions, extras=extras)


def _advice(root: Path, missing: str) -> str:
    """What to do about a folder that lacks a split."""
    names = sorted(path.name for path in (*root.glob("[!.]*"), *root.glob("t*/[!.]*")))
    for pattern, advice in (
        (r".*\.tfrecord-\d+-of-\d+", "is of TensorFlow Datasets, whose records are others"),
        (r".*\.gz", "is compressed; unpack it first: gunzip"),
        (r".*\.tfrecord", "needs the ending .tfrecords; rename it"),
    ):
        found = [name for name in names if re.fullmatch(pattern, name)]
        if found:
            return f"{found[0]} {advice}"
    if any(root.glob("[!.]*.tfrecords")):
        return f"this folder is one split of it; give the folder above, {root.resolve().parent}"
    held = holds(missing, [path.name for path in root.iterdir()])
    return f"{held}; unpack the data set whole" if any(root.glob("t*/[!.]*.tfrecords")) else held


def _images(features: Mapping[str, Feature], camera: str) -> np.ndarray:
    """(30, 64, 64, 3) uint8."""
    frames, wanted = [], SIZE * SIZE * 3
    for t in range(LENGTH):
        name = f"{t}/{camera}/encoded"
        values = _feature(features, name).bytes_list.value
        if len(values) != 1 or len(values[0]) != wanted:
            raise ArmillaryError(
                f"feature {name!r} must be one image of {wanted} bytes ({SIZE} x {SIZE} x 3, not "
                f"compressed), got {[len(value) for value in values]} bytes"
            )
        frames.append(np.frombuffer(values[0], np.uint8))
    return np.stack(frames).reshape(LENGTH, SIZE, SIZE, 3)


def _vectors(features: Mapping[str, Feature], quantity: str, size: int) -> np.ndarray:
    """(30, size) float32."""
    rows = []
    for t in range(LENGTH):
        values = _feature(features, f"{t}/{quantity}").float_list.value
        if len(values) != size:
            raise ArmillaryError(
                f"feature '{t}/{quantity}' must be {size} floating-point numbers, got {len(values)}"
            )
        rows.append(values)
    return np.array(rows, np.float32)


def _feature(features: Mapping[str, Feature], name: str) -> Feature:
    if name not in features:  # asking for it would make an empty one
        first = listed(sorted(features, key=_words))
        raise ArmillaryError(f"there is no feature {name!r} among {len(features)}: {first}")
    return features[name]


def _words(text: str) -> list[tuple[bool, int, str]]:
    """A key that sorts numbers inside texts by their value."""
    return [(not w.isdigit(), int(w) if w.isdigit() else 0, w) for w in re.split(r"(\d+)", text)]


def _order(path: Path) -> list[tuple[bool, int, str]]:
    return _words(path.name)


def _promised(path: Path) -> int | None:
    """How many records a file traj_A_to_B.tfrecords says that it holds."""
    match = re.fullmatch(r"traj_(\d+)_to_(\d+)", path.stem)
    return int(match[2]) - int(match[1]) + 1 if match else None
