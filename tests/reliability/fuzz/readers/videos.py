"""HDF5 files of generated videos: whole ones, and begun ones that are gone on with."""

from __future__ import annotations

import contextlib
import tempfile
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from armillary.experiments.realism.populations import check_comparable, divide
from armillary.experiments.realism.video_file import VideoFile
from armillary.experiments.realism.video_writer import VideoWriter
from tests.reliability.fuzz.mutate import hdf5
from tests.reliability.fuzz.reader import LOOKED_AT, Files, Reader, replaced

_FILE, _BEGUN = "videos.h5", ".videos.h5.parts"
_SHAPE = (2, 4, 4, 3)
_ATTRIBUTES = {"seed": 3, "model": "slot_dynamics", "stride": 1}


@cache
def _videos() -> list[Files]:
    own = {"format": "armillary-videos", "format_version": 1, **_ATTRIBUTES}
    draw = np.random.default_rng(0)
    videos = draw.integers(0, 256, (4, *_SHAPE)).astype("u1")
    made = [hdf5.content_of({"videos": videos}, own)]
    made += [
        hdf5.content_of({"videos": videos.astype("f4")}, {}, version)
        for version in ("earliest", "v110")
    ]
    return [{_FILE: content} for content in made]


def _damage(random: Random, files: Files) -> Files:
    return replaced(random, files, _FILE, hdf5.damaged(random, files[_FILE]))


def _read(folder: Path) -> object:
    file = VideoFile(folder / _FILE)
    populations = divide([file], 2, None, 0)
    check_comparable(populations[:1], populations[1:])
    return repr(file.attributes), file.read(np.arange(min(len(file), 2)))


def _writer(path: Path) -> VideoWriter:
    arrays = {"videos": (_SHAPE, "uint8"), "actions": ((1, 2), "float32")}
    return VideoWriter(path, 3, arrays, _ATTRIBUTES, overwrite=False, resume=True)


def _write(writer: VideoWriter, rows: np.ndarray) -> None:
    videos = np.full((len(rows), *_SHAPE), 7, "u1")
    writer.write(rows, {"videos": videos, "actions": np.zeros((len(rows), 1, 2), "f4")})


@cache
def _begun() -> list[Files]:
    with tempfile.TemporaryDirectory() as name:
        with contextlib.suppress(InterruptedError), _writer(Path(name) / _FILE).open() as writer:
            _write(writer, np.array([0]))
            raise InterruptedError
        return [{f"{_BEGUN}/{p.name}": p.read_bytes() for p in Path(name, _BEGUN).iterdir()}]


def _begun_damaged(random: Random, files: Files) -> Files:
    return {name: hdf5.damaged(random, content) for name, content in files.items()}


def _go_on(folder: Path) -> object:
    with _writer(folder / _FILE).open() as writer:
        rows = writer.missing()
        if len(rows):
            _write(writer, rows)
    return VideoFile(folder / _FILE).shape


READERS = (
    Reader("videos-h5", _videos, _damage, _read, share=LOOKED_AT),
    Reader("videos-h5-begun", _begun, _begun_damaged, _go_on, share=LOOKED_AT, writes=True),
)
