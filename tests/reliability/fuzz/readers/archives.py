"""NumPy archives: what an evaluation keeps of each video, and OP3's data set."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from armillary.experiments.evaluation.store import Store
from armillary.world_models.data.sources.op3_pickplace import PickPlaceArchive
from tests.reliability.fuzz.mutate import archive
from tests.reliability.fuzz.reader import Files, Reader, replaced

_PARTIAL, _PICK = "partial/000000.npz", "pick.npz"


def _packed(compressed: bool, **arrays: np.ndarray) -> bytes:
    written = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(written, **arrays)  # pyright: ignore
    return written.getvalue()


@cache
def _scores() -> list[Files]:
    arrays = {"psnr": np.ones((2, 3), "f4"), "spread": np.ones(3, "f4")}
    return [{_PARTIAL: _packed(False, **arrays)}]


def _gather(folder: Path) -> object:
    store = Store(folder)
    if not store.has(0):
        return None
    scores = store.get(0)
    store.gather(folder / "all.npz", [0], {"videos": np.arange(1)})
    return scores


@cache
def _pick() -> list[Files]:
    draw = np.random.default_rng(0)
    frames = draw.integers(0, 256, (2, 3, 4, 4, 3)).astype("u1")
    actions = draw.normal(size=(2, 2, 4)).astype("f4")
    return [
        {_PICK: _packed(compressed, frames=frames, actions=actions)} for compressed in (False, True)
    ]


def _convert(folder: Path) -> object:
    source = PickPlaceArchive(folder / _PICK, "pick", "random", "x")
    return [list(source.episodes(part)) for part in source.parts()]


def _damage(random: Random, files: Files) -> Files:
    ((name, content),) = files.items()
    changed = archive.damaged(random, content, archive.npy_damaged)
    return replaced(random, files, name, changed)


READERS = (
    Reader("evaluation-npz", _scores, _damage, _gather, share=2, writes=True),
    Reader("op3-npz", _pick, _damage, _convert, share=2),
)
