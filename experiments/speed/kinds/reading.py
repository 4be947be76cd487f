"""Rows of data: windows a second by layout and workers, waiting for them, and workers' memory."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import torch

from armillary.experiments.evaluation.speed import Measured, Target
from armillary.experiments.speed.cases import COPY, Case, Setting, Work
from armillary.experiments.speed.files import COMPRESSED, OURS, REFERENCE, episodes_of_noise, videos
from armillary.experiments.speed.kinds.training import batch_of, loop, staged
from armillary.experiments.speed.subjects import OURS as OUR_MODEL
from armillary.experiments.speed.subjects import build
from armillary.memory import share_of
from armillary.world_models.data import EpisodeFile, WindowDataset, training_batches

_FRAMES, _BATCH, _SIDE = 10, 16, 64
FAST = (Target(of="rate", least=13_000), Target(of="ratio", least=5))
SELDOM = (Target(of="ratio", least=20),)
TOUCHED, FIRST = "touched before", "for the first time"


def cases(setting: Setting) -> Iterator[Case]:
    """Layouts on one core, then workers, then what a training step waits for."""
    yield windows(setting, OURS, targets=FAST)
    yield windows(setting, OURS, first=True)
    yield windows(setting, REFERENCE)
    yield windows(setting, COMPRESSED)
    for in_memory in (True, False):
        yield windows(setting, OURS, in_memory=True) if in_memory else waiting(setting)
        for workers in setting.size.workers[1:]:
            yield loaded(setting, workers, in_memory)


def windows(
    setting: Setting,
    layout: str,
    *,
    first: bool = False,
    in_memory: bool = False,
    targets: tuple[Target, ...] = (),
) -> Case:
    """The row of random windows in batches, beside a file that is opened for every one of them."""
    count = max(_BATCH, 4 * setting.size.episodes) if first else setting.size.windows
    batches = count // _BATCH
    settings = _settings(layout, in_memory, 0) | {"episodes": FIRST if first else TOUCHED}

    def make() -> Work:
        path = videos(setting, layout)
        random = np.random.default_rng(setting.seed)

        def opened() -> WindowDataset:
            return WindowDataset(EpisodeFile(path).split("train"), _FRAMES, in_memory=in_memory)

        known = opened()

        def drawn() -> list[list[int]]:
            return random.integers(len(known), size=(batches, _BATCH)).tolist()

        def read() -> None:
            dataset = opened() if first else known
            for indices in drawn():
                dataset.batch(indices)

        def plain() -> None:
            for indices in drawn():
                for index in indices:
                    opened_for_it(path, layout, *divmod(index, known.starts))

        if not first:
            for start in range(0, len(known), known.starts):
                known.batch([start])
        return Work(read, plain, moved=_bytes(batches * _BATCH))

    return Case(
        *("data", "windows", settings, "windows", batches * _BATCH, make),
        threads=1,
        ceiling=COPY,
        targets=targets,
    )


def loaded(setting: Setting, workers: int, in_memory: bool) -> Case:
    """The row of batches that worker processes read, and what memory these take."""

    def make() -> Work:
        split = EpisodeFile(videos(setting, OURS)).split("train")
        others = {process.pid for process in multiprocessing.active_children()}
        batches = training_batches(
            WindowDataset(split, _FRAMES, in_memory=in_memory),
            batch_size=_BATCH,
            seed=setting.seed,
            first_step=0,
            last_step=sys.maxsize,
            workers=workers,
        )
        held = [batches]

        def read() -> None:
            for _ in range(setting.size.windows // _BATCH):
                next(held[0])

        def memory() -> float | None:
            own = [p.pid for p in multiprocessing.active_children() if p.pid not in others]
            shares = [share_of(pid) for pid in own if pid is not None]
            return None if None in shares else sum(filter(None, shares)) / 1e6

        read()
        return Work(read, moved=_bytes(setting.size.windows), megabytes=memory, close=held.clear)

    settings = _settings(OURS, in_memory, workers)
    return Case(
        *("data", "windows", settings, "windows", setting.size.windows, make),
        threads=1,
        alone=False,
        ceiling=COPY,
    )


def waiting(setting: Setting) -> Case:
    """The row of the batches that the first stage of ours trains on, beside a step on one."""
    stage, _ = staged(setting, "discovery")
    settings = {"held": "in the file", "workers": 0, "clips": stage.batch_size}

    def make() -> Work:
        model = build(OUR_MODEL, setting)
        file = episodes_of_noise(setting, model.image_size, model.action_size)
        split, device = file.split("train"), model.action_mean.device
        batches = training_batches(
            WindowDataset(split, stage.length, labels=False, in_memory=False),
            batch_size=stage.batch_size,
            seed=setting.seed,
            first_step=0,
            last_step=sys.maxsize,
        )
        return Work(
            lambda: next(batches).to_window(device),
            loop(model.train(), batch_of(model, file, stage), stage),
            note=_share_of_a_step,
        )

    return Case(
        *("data", "a training step's batch", settings, "windows", stage.batch_size, make),
        note="plain is the step itself",
        ceiling="",
        targets=SELDOM,
    )


def _share_of_a_step(measured: Measured) -> str:
    return f"a step waits {1 / (measured.ratio or 1):.1%} of its time"


def opened_for_it(path: Path, layout: str, episode: int, start: int) -> None:
    """One window, as a data set reads it that opens its file in every ``__getitem__``."""
    span = slice(start, start + _FRAMES)
    place = (span, episode) if layout == REFERENCE else (episode, span)
    with h5py.File(path, "r") as file:
        for name in ("train/imgs", "train/actions"):
            array = file[name]
            assert isinstance(array, h5py.Dataset)
            torch.from_numpy(array[place])


def _settings(layout: str, in_memory: bool, workers: int) -> dict[str, int | float | str]:
    held = "in memory" if in_memory else "in the file"
    return {"layout": layout, "held": held, "frames": _FRAMES, "workers": workers}


def _bytes(count: int) -> int:
    """That are read and written for so many windows."""
    return 2 * count * _FRAMES * 3 * _SIDE**2
