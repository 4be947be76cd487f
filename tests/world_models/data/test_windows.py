"""Windows hold the right frames and actions, and batches depend on the seed and step alone."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from armillary.memory import share_of
from armillary.world_models.data import (
    DataError,
    EpisodeFile,
    Layout,
    RawWindow,
    Split,
    StepSampler,
    WindowDataset,
    action_statistics,
    ordered_batches,
    sampling,
    step_indices,
    training_batches,
)
from armillary.world_models.data.sampling import keep
from tests.world_models.data.conftest import Clips, make_clips, write_clips


@pytest.fixture
def dataset(episode_path: Path) -> WindowDataset:
    return WindowDataset(EpisodeFile(episode_path).split("train"), length=4)


def same(left: RawWindow, right: RawWindow) -> bool:
    pairs = [
        (left.frames, right.frames),
        (left.actions, right.actions),
        (left.labels, right.labels),
        (left.previous, right.previous),
    ]
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("layout", list(Layout))
@pytest.mark.parametrize("stride", [1, 2])
def test_windows_are_the_episodes_frames(
    tmp_path: Path, clips: dict[str, Clips], layout: Layout, stride: int, in_memory: bool
) -> None:
    write_clips(tmp_path / "f.h5", clips, layout)
    split, expected = EpisodeFile(tmp_path / "f.h5").split("train"), clips["train"]
    windows = WindowDataset(split, length=3, stride=stride, in_memory=in_memory)
    starts = 7 - 2 * stride
    assert len(windows) == 5 * starts
    batch = windows.batch(range(len(windows)))
    for index in range(len(windows)):
        episode, start = divmod(index, starts)
        taken = [start, start + stride, start + 2 * stride]
        np.testing.assert_array_equal(batch.frames[index], expected.frames[episode, taken])
        np.testing.assert_array_equal(batch.labels[index], expected.masks[episode, taken])
        for t in range(2):
            between = expected.actions[episode, taken[t] : taken[t + 1]]
            np.testing.assert_allclose(batch.actions[index, t], between.sum(0), rtol=1e-6)
        before = expected.actions[episode, max(0, start - stride) : start]
        np.testing.assert_allclose(batch.previous[index], before.sum(0), rtol=1e-6)


def test_an_episode_starts_without_a_previous_action(
    dataset: WindowDataset, clips: dict[str, Clips]
) -> None:
    window = dataset.batch([4, 6]).to_window()
    assert window.previous is not None
    np.testing.assert_array_equal(window.previous[0], np.zeros(2))
    np.testing.assert_array_equal(window.previous[1], clips["train"].actions[1, 1])


def test_every_frame_can_be_drawn(dataset: WindowDataset) -> None:
    """The last start belongs to the draw, too."""
    drawn = {i for step in range(200) for i in step_indices(0, step, 4, len(dataset))}
    assert drawn == set(range(len(dataset)))


def test_draws_are_uniform() -> None:
    drawn = [i for step in range(2000) for i in step_indices(5, step, 10, 20)]
    counts = np.bincount(drawn, minlength=20)
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8, "chi-squared, 19 degrees, p = 0.001"


def test_seed_and_step_choose_the_batch() -> None:
    assert step_indices(1, 7, 8, 1000) == step_indices(1, 7, 8, 1000)
    others = [step_indices(seed, step, 8, 1000) for seed, step in [(1, 8), (2, 7), (7, 1)]]
    assert step_indices(1, 7, 8, 1000) not in others


@pytest.mark.parametrize("arguments", [(-1, 0, 4), (0, -1, 4), (0, 0, 0)])
def test_bad_draws_are_refused(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        step_indices(*arguments, count=10)


def batches(dataset: WindowDataset, first: int, last: int, workers: int = 0) -> list[RawWindow]:
    return list(
        training_batches(
            dataset, batch_size=3, seed=11, first_step=first, last_step=last, workers=workers
        )
    )


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(episode_path: Path, workers: int, in_memory: bool) -> None:
    split = EpisodeFile(episode_path).split("train")
    dataset = WindowDataset(split, length=4, in_memory=in_memory)
    alone, helped = batches(dataset, 0, 5), batches(dataset, 0, 5, workers)
    assert len(alone) == len(helped) == 5
    assert all(same(a, b) for a, b in zip(alone, helped, strict=True))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_hold_no_copy_of_their_own(
    episode_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    loads = multiprocessing.get_context("fork").Value("i", 0)
    load, parent = Split.load, os.getpid()

    def counted(self: Split, labels: bool = True) -> Any:
        loads.value += os.getpid() != parent and not self._loaded
        return load(self, labels)

    monkeypatch.setattr(Split, "load", counted)
    monkeypatch.setattr(sampling, "get_start_method", lambda: method)
    split = EpisodeFile(episode_path).split("train")
    dataset = WindowDataset(split, length=4, in_memory=True)
    assert len(batches(dataset, 0, 6, 2)) == 6
    assert loads.value == 0
    assert bool(split._loaded) == (method == "fork")


@pytest.mark.skipif(share_of(os.getpid()) is None, reason="needs Linux")
@pytest.mark.parametrize("in_memory", [True, False])
def test_several_workers_do_not_multiply_memory(tmp_path: Path, in_memory: bool) -> None:
    taken, workers = [], 2
    for count in (2, 100):
        others = set(multiprocessing.active_children())
        path = tmp_path / f"{count}.h5"
        write_clips(path, {"train": make_clips(count, length=20, size=96)}, masks=False)
        split = EpisodeFile(path).split("train")
        reading = training_batches(
            WindowDataset(split, 4, in_memory=in_memory),
            batch_size=4,
            seed=0,
            first_step=0,
            last_step=90,
            workers=workers,
        )
        for _ in range(60):
            next(reading)
        own = [process.pid or 0 for process in set(multiprocessing.active_children()) - others]
        assert len(own) == workers
        taken.append(sum(share_of(pid) or 0 for pid in own))
        del reading
    assert taken[1] - taken[0] < 1.2 * split.nbytes(), "two copies would be twice as much"


def test_spawned_workers_change_nothing(episode_path: Path) -> None:
    split = EpisodeFile(episode_path).split("train")
    dataset = WindowDataset(split, length=4, in_memory=False)
    alone = batches(dataset, 0, 3)
    loader = DataLoader(
        dataset,
        batch_sampler=StepSampler(len(dataset), batch_size=3, seed=11, first_step=0, last_step=3),
        num_workers=1,
        collate_fn=keep,
        multiprocessing_context=multiprocessing.get_context("spawn"),
    )
    assert all(same(a, b) for a, b in zip(alone, loader, strict=True))


def test_a_resumed_run_sees_the_same_batches(dataset: WindowDataset) -> None:
    whole = batches(dataset, 0, 6)
    resumed = batches(dataset, 4, 6)
    assert all(same(a, b) for a, b in zip(whole[4:], resumed, strict=True))
    assert not same(whole[0], whole[1])


def test_loading_leaves_the_global_generator_alone(dataset: WindowDataset) -> None:
    before = torch.get_rng_state()
    batches(dataset, 0, 2)
    list(ordered_batches(dataset, batch_size=4))
    assert torch.equal(before, torch.get_rng_state())


def test_ordered_batches_give_every_window_once(dataset: WindowDataset) -> None:
    parts = list(ordered_batches(dataset, batch_size=6))
    assert [len(part.frames) for part in parts] == [6, 6, 6, 2]
    frames = torch.cat([part.frames for part in parts])
    assert torch.equal(frames, dataset.batch(range(20)).frames)


def test_a_limit_spreads_the_windows(dataset: WindowDataset) -> None:
    parts = list(ordered_batches(dataset, batch_size=8, limit=5))
    assert torch.equal(parts[0].frames, dataset.batch([0, 4, 8, 12, 16]).frames)
    everything = list(ordered_batches(dataset, batch_size=8, limit=99))
    assert sum(len(part.frames) for part in everything) == 20
    with pytest.raises(ValueError, match="at least 1"):
        ordered_batches(dataset, batch_size=0)


def test_models_get_floats_channels_first(dataset: WindowDataset, clips: dict[str, Clips]) -> None:
    window = dataset.batch([1, 9]).to_window()
    assert (window.frames.dtype, window.labels.dtype) == (torch.float32, torch.int64)
    assert window.frames.shape == (2, 4, 3, 8, 8)
    assert window.frames.is_contiguous()
    expected = clips["train"].frames[0, 1:5].transpose(0, 3, 1, 2) / 255.0
    np.testing.assert_allclose(window.frames[0], expected, atol=1e-7)
    assert window.actions.shape == (2, 3, 2)


@pytest.mark.parametrize("in_memory", [True, False])
def test_labels_can_be_left_out(episode_path: Path, in_memory: bool) -> None:
    split = EpisodeFile(episode_path).split("train")
    without = WindowDataset(split, 4, labels=False, in_memory=in_memory).batch([0, 1])
    assert without.labels.shape == (2, 4, 0, 0)
    assert without.to_window().labels.shape == (2, 4, 0, 0)


def test_data_without_masks_has_empty_labels(written: Callable[[Clips], Path]) -> None:
    split = EpisodeFile(written(make_clips(2))).split("train")
    assert WindowDataset(split, 4).batch([0]).labels.shape == (1, 4, 0, 0)


@pytest.mark.parametrize("in_memory", [True, False])
def test_windows_without_actions(episode_path: Path, in_memory: bool) -> None:
    split = EpisodeFile(episode_path, actions=False).split("train")
    window = WindowDataset(split, 3, stride=2, in_memory=in_memory).batch([0, 2]).to_window()
    assert window.actions.shape == (2, 2, 0)
    assert window.previous is not None
    assert window.previous.shape == (2, 0)
    found = action_statistics(split, 2)
    assert found.mean.shape == found.std.shape == (0,)


@pytest.mark.parametrize(
    ("choice", "limit", "expected"),
    [("auto", 2**30, True), ("auto", 1000, False), (True, 1000, True), (False, 2**30, False)],
)
def test_small_data_stay_in_memory(
    episode_path: Path, choice: bool | Literal["auto"], limit: int, expected: bool
) -> None:
    split = EpisodeFile(episode_path).split("train")
    dataset = WindowDataset(split, 4, in_memory=choice, memory_limit=limit)
    assert dataset.in_memory is expected


def test_impossible_windows_are_refused(episode_path: Path) -> None:
    split = EpisodeFile(episode_path).split("train")
    with pytest.raises(DataError, match=r"windows of 8 frames .* span 8 frames.* have 7"):
        WindowDataset(split, 8)
    with pytest.raises(DataError, match="windows of 4 frames with stride 3 span 10"):
        WindowDataset(split, 4, stride=3)
    for length, stride in [(0, 1), (4, 0)]:
        with pytest.raises(ValueError, match="at least 1"):
            WindowDataset(split, length, stride)
    assert len(WindowDataset(split, 7)) == 5
    with pytest.raises(IndexError, match=r"0\.\.4, got 5"):
        WindowDataset(split, 7).batch([5])


@pytest.mark.parametrize("stride", [1, 2, 6])
def test_statistics_are_those_of_the_windows_actions(
    episode_path: Path, clips: dict[str, Clips], stride: int
) -> None:
    split = EpisodeFile(episode_path).split("train")
    found = action_statistics(split, stride)
    windows = WindowDataset(split, 2, stride)
    actions = windows.batch(range(len(windows))).actions.reshape(-1, 2)
    np.testing.assert_allclose(found.mean, actions.mean(0), atol=1e-6)
    np.testing.assert_allclose(found.std, actions.std(0, correction=0), rtol=1e-5)
    if stride == 1:
        np.testing.assert_allclose(found.mean, clips["train"].actions.mean((0, 1)), atol=1e-6)
    with pytest.raises(ValueError, match=r"1\.\.6"):
        action_statistics(split, 7)
