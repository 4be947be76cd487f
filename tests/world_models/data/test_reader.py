"""Every stored form reads the same, and every unusable file says what is wrong with it."""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from armillary.world_models.data import DataError, EpisodeFile, Layout, Split
from armillary.world_models.data.handle import Handle
from armillary.world_models.data.split import MemoryEpisodes
from tests.world_models.data.conftest import Clips, make_clips, write_clips


def write_reference(
    path: Path,
    clips: dict[str, Clips],
    convert: Callable[[np.ndarray], np.ndarray] = np.asarray,
    extra_action: bool = False,
    masks: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Path:
    """Writes the published layout with h5py alone: no attributes, [T, N] in front."""
    with h5py.File(path, "w") as file:
        for name, arrays in clips.items():
            group = file.create_group(name)
            group["imgs"] = convert(arrays.frames.swapaxes(0, 1))
            actions = arrays.actions.swapaxes(0, 1)
            if extra_action:
                actions = np.concatenate([actions, np.full_like(actions[:1], 99.0)])
            group["actions"] = actions
            if masks is not None:
                group["masks"] = masks(arrays.masks.swapaxes(0, 1))
    return path


CONVERSIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "uint8": np.asarray,
    "float32 in 0..1": lambda frames: (frames / 255.0).astype(np.float32),
    "float16 in 0..1": lambda frames: (frames / 255.0).astype(np.float16),
    "float32 in 0..255": lambda frames: frames.astype(np.float32),
    "float64 in 0..255": lambda frames: frames.astype(np.float64),
}


@pytest.mark.parametrize("extra_action", [False, True], ids=["T - 1 actions", "T actions"])
@pytest.mark.parametrize("form", list(CONVERSIONS))
def test_all_forms_of_the_reference_layout_read_the_same(
    tmp_path: Path, clips: dict[str, Clips], form: str, extra_action: bool
) -> None:
    path = write_reference(tmp_path / "f.h5", clips, CONVERSIONS[form], extra_action)
    file = EpisodeFile(path)
    assert file.layout is Layout.REFERENCE
    assert file.attributes == {}
    for name, expected in clips.items():
        split = file.split(name)
        assert (len(split), split.length, split.has_masks) == (len(expected.frames), 7, False)
        for i in range(len(split)):
            np.testing.assert_array_equal(split.frames(i), expected.frames[i])
            np.testing.assert_array_equal(split.actions(i), expected.actions[i])
            assert split.actions(i).dtype == np.float32


def test_the_scale_of_float_frames_is_one_choice_for_the_file(
    tmp_path: Path, clips: dict[str, Clips], caplog: pytest.LogCaptureFixture
) -> None:
    """A nearly black episode must not be taken for one in 0..1 beside others in 0..255."""
    clips["train"].frames[2] = clips["train"].frames[2] > 127
    path = write_reference(tmp_path / "f.h5", clips, CONVERSIONS["float32 in 0..255"])
    with caplog.at_level(logging.INFO):
        file = EpisodeFile(path)
    assert "0..255" in caplog.text
    assert "maximum of 255" in caplog.text
    np.testing.assert_array_equal(file.split("train").frames(2), clips["train"].frames[2])


def test_a_declared_scale_wins_over_the_sample(tmp_path: Path) -> None:
    dark = make_clips(2)
    dark.frames[:] = dark.frames > 127
    path = write_reference(tmp_path / "f.h5", {"train": dark}, CONVERSIONS["float32 in 0..255"])
    assert EpisodeFile(path).split("train").frames(0).max() == 255
    with h5py.File(path, "a") as file:
        file.attrs["frame_maximum"] = 255
    np.testing.assert_array_equal(EpisodeFile(path).split("train").frames(0), dark.frames[0])
    with h5py.File(path, "a") as file:
        file.attrs["frame_maximum"] = 7
    with pytest.raises(DataError, match="must be 1 or 255, got 7"):
        EpisodeFile(path)


@pytest.mark.parametrize("bad", [np.nan, -40.0, 900.0])
def test_float_frames_outside_their_range_are_refused(tmp_path: Path, bad: float) -> None:
    clips = make_clips(40)
    path = write_reference(tmp_path / "f.h5", {"train": clips}, CONVERSIONS["float32 in 0..255"])
    with h5py.File(path, "a") as file:
        imgs = file["train/imgs"]
        assert isinstance(imgs, h5py.Dataset)
        imgs[3, 1, 0, 0, 0] = bad
    split = EpisodeFile(path).split("train")
    split.frames(0)
    with pytest.raises(DataError, match="episode 1 of 'train' leave the range"):
        split.frames(1)


@pytest.mark.parametrize(
    "convert",
    [
        lambda labels: labels[..., None],
        lambda labels: labels[..., None].astype(np.float32),
        lambda labels: (labels[..., None] == np.arange(4)).astype(np.float32),
        lambda labels: labels[..., None] == np.arange(4),
    ],
    ids=["label map", "float label map", "channels", "boolean channels"],
)
def test_reference_masks_become_label_maps(
    tmp_path: Path, clips: dict[str, Clips], convert: Callable[[np.ndarray], np.ndarray]
) -> None:
    path = write_reference(tmp_path / "f.h5", clips, masks=convert)
    split = EpisodeFile(path).split("train")
    assert split.has_masks
    for i in range(len(split)):
        np.testing.assert_array_equal(split.labels(i, 1, 6), clips["train"].masks[i, 1:6])
    assert split.labels(0).dtype == np.uint8


def test_masks_that_are_no_labels_are_refused(tmp_path: Path, clips: dict[str, Clips]) -> None:
    path = write_reference(
        tmp_path / "f.h5", clips, masks=lambda labels: labels[..., None].astype(np.float32) / 3
    )
    with pytest.raises(DataError, match="whole labels"):
        EpisodeFile(path).split("train").labels(0)


def test_ranges_count_frames_for_all_arrays(episode_path: Path, clips: dict[str, Clips]) -> None:
    split, expected = EpisodeFile(episode_path).split("train"), clips["train"]
    np.testing.assert_array_equal(split.frames(3, 2, 6), expected.frames[3, 2:6])
    np.testing.assert_array_equal(split.actions(3, 2, 6), expected.actions[3, 2:5])
    np.testing.assert_array_equal(split.labels(3, 2, 6), expected.masks[3, 2:6])
    np.testing.assert_array_equal(split.extra("poses", 3, 2, 6), expected.poses[3, 2:6])
    for arguments in [(5, 0, 2), (-1, 0, 2), (0, 3, 3), (0, -1, 3), (0, 5, 8)]:
        with pytest.raises(IndexError):
            split.frames(*arguments)


@pytest.mark.parametrize("labels", [True, False])
def test_memory_holds_what_the_file_holds(
    episode_path: Path, clips: dict[str, Clips], labels: bool
) -> None:
    split, expected = EpisodeFile(episode_path).split("train"), clips["train"]
    memory = split.load(labels)
    assert isinstance(memory, MemoryEpisodes)
    assert split.load(labels) is memory
    np.testing.assert_array_equal(memory.all_frames, expected.frames)
    np.testing.assert_array_equal(memory.all_actions, expected.actions)
    assert memory.all_labels.shape == (expected.masks.shape if labels else (5, 7, 0, 0))
    assert split.nbytes(labels) == memory.all_frames.nbytes + memory.all_labels.nbytes


def test_no_masks_is_a_property_and_an_error(written: Callable[[Clips], Path]) -> None:
    split = EpisodeFile(written(make_clips(2))).split("train")
    assert not split.has_masks
    with pytest.raises(DataError, match="no masks"):
        split.labels(0)
    assert split.load().all_labels.shape == (2, 7, 0, 0)


@pytest.mark.parametrize("stored", [True, False])
def test_a_file_can_be_read_without_actions(
    episode_path: Path, clips: dict[str, Clips], stored: bool
) -> None:
    if not stored:
        with h5py.File(episode_path, "a") as file:
            del file["train/actions"], file["val/actions"]
    file = EpisodeFile(episode_path, actions=False)
    split = file.split("train")
    assert file.action_size == split.info.action_size == 0
    assert split.actions(1, 2, 5).shape == (2, 0)
    assert split.load().all_actions.shape == (5, 6, 0)
    np.testing.assert_array_equal(split.frames(1), clips["train"].frames[1])


def test_repr_says_what_there_is(episode_path: Path) -> None:
    text = repr(EpisodeFile(episode_path))
    for part in [
        str(episode_path),
        "layout episodes",
        "8 x 8",
        "train 5 episodes of 7 frames, uint8, with masks, poses (5,) float32",
        "val   3 episodes",
        "environment = armillary/PushBlocks-v0",
    ]:
        assert part in text


def first_frames(split: Split) -> np.ndarray:
    """The first episode's frames, read wherever it is called."""
    return split.frames(0)


def test_a_forked_process_reads_the_same(episode_path: Path, clips: dict[str, Clips]) -> None:
    split = EpisodeFile(episode_path).split("train")
    split.load()
    first_frames(split)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        there = pool.apply(first_frames, (split,))
    np.testing.assert_array_equal(there, clips["train"].frames[0])
    np.testing.assert_array_equal(first_frames(split), clips["train"].frames[0])


def opens_its_own(handle: Handle, inherited: int) -> bool:
    """Whether this process has another open file than the one it was forked with."""
    return id(handle.file()) != inherited


def test_a_forked_process_opens_the_file_itself(episode_path: Path) -> None:
    handle = Handle(episode_path)
    inherited = handle.file()
    assert handle.file() is inherited
    context, results = multiprocessing.get_context("fork"), multiprocessing.SimpleQueue()
    process = context.Process(
        target=lambda: results.put(opens_its_own(handle, id(inherited))),
    )
    process.start()
    process.join()
    assert results.get()


def test_pickles_carry_no_data(written: Callable[[Clips], Path]) -> None:
    split = EpisodeFile(written(make_clips(40, size=16))).split("train")
    split.load()
    assert len(pickle.dumps(split)) < 5_000


def test_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(DataError("file.h5", "is bad")))
    assert str(error) == "file.h5: is bad"
    assert error.path == Path("file.h5")


# Files that cannot be used.


def _delete(name: str) -> Callable[[h5py.File], None]:
    return lambda file: file.__delitem__(name)


def _replace(name: str, array: np.ndarray) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = array

    return change


def _attribute(name: str, value: object) -> Callable[[h5py.File], None]:
    return lambda file: file.attrs.__setitem__(name, value)


def _rename(old: str, new: str) -> Callable[[h5py.File], None]:
    return lambda file: file.move(old, new)


def _no_groups(file: h5py.File) -> None:
    file.move("train", "training")
    del file["val"]


DAMAGES: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "newer": (_attribute("format_version", 2), "format version 2 cannot be read, only version 1"),
    "version text": (_attribute("format_version", "1.0"), "format version 1.0 cannot be read"),
    "format": (_attribute("format", "minari"), "must be 'armillary-episodes', got 'minari'"),
    "layout": (_attribute("layout", "columns"), "one of episodes, reference; got 'columns'"),
    "no group": (_no_groups, "no group train, val, test; it holds training.*mean 'training'"),
    "no array": (_delete("train/actions"), "/train has no array 'actions'; it holds imgs, masks"),
    "action-free": (_delete("train/actions"), r"without actions \(data.actions=false\)"),
    "name": (_rename("val/imgs", "val/images"), "no array 'imgs'.*did you mean 'images'"),
    "actions longer": (
        _replace("train/actions", np.zeros((5, 7, 2))),
        r"/train/actions must be shaped \[5, 6, A\] .* got \(5, 7, 2\)",
    ),
    "fewer actions": (_replace("train/actions", np.zeros((4, 6, 2))), r"\[5, 6, A\]"),
    "text actions": (
        _replace("train/actions", np.full((5, 6, 2), b"a")),
        "actions must hold numbers",
    ),
    "not square": (_replace("val/imgs", np.zeros((3, 7, 8, 6, 3), np.uint8)), "square"),
    "channels": (_replace("val/imgs", np.zeros((3, 7, 8, 8, 4), np.uint8)), "H, W, 3"),
    "frame type": (_replace("val/imgs", np.zeros((3, 7, 8, 8, 3), int)), "uint8 or floating"),
    "mask shape": (_replace("train/masks", np.zeros((5, 7, 8, 4), np.uint8)), "train/masks must"),
    "mask type": (_replace("train/masks", np.zeros((5, 7, 8, 8))), "integer labels"),
    "extra": (_replace("train/poses", np.zeros((5, 6, 2))), "train/poses must be shaped"),
    "action sizes": (_replace("val/actions", np.zeros((3, 6, 4))), "same sizes.*4 action numbers"),
}


@pytest.mark.parametrize("case", list(DAMAGES))
def test_a_file_that_breaks_the_layout_is_refused(episode_path: Path, case: str) -> None:
    change, message = DAMAGES[case]
    with h5py.File(episode_path, "a") as file:
        change(file)
    with pytest.raises(DataError, match=message) as caught:
        EpisodeFile(episode_path)
    assert str(caught.value).startswith(str(episode_path))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        EpisodeFile(tmp_path / "none.h5")
    with pytest.raises(DataError, match="no such file"):
        EpisodeFile(tmp_path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    path.write_text("not HDF5 at all")
    with pytest.raises(DataError, match="no HDF5 file"):
        EpisodeFile(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_a_truncated_file_is_refused(episode_path: Path, tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.h5"
    shutil.copy(episode_path, path)
    with open(path, "r+b") as file:
        file.truncate(int(share * episode_path.stat().st_size))
    with pytest.raises(DataError, match="truncated"):
        EpisodeFile(path)


def test_unknown_and_empty_splits_are_refused(tmp_path: Path, clips: dict[str, Clips]) -> None:
    empty = make_clips(0)
    path = write_reference(tmp_path / "f.h5", {**clips, "test": empty})
    file = EpisodeFile(path)
    with pytest.raises(DataError, match="split 'test' is empty"):
        file.split("test")
    with pytest.raises(DataError, match=r"no split 'training'; it holds .*did you mean 'train'"):
        file.split("training")


def test_an_unknown_extra_array_is_refused(episode_path: Path) -> None:
    with pytest.raises(DataError, match=r"no further array 'pose'.*did you mean 'poses'"):
        EpisodeFile(episode_path).split("train").extra("pose", 0)


def test_actions_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    clips = make_clips(3)
    clips.actions[2, 4, 1] = np.inf
    path = write_reference(tmp_path / "f.h5", {"train": clips})
    with pytest.raises(DataError, match="action 4 of episode 2 of 'train' is NaN or infinite"):
        EpisodeFile(path).split("train").actions(0)


def test_foreign_arrays_of_a_reference_file_are_left_alone(
    tmp_path: Path, clips: dict[str, Clips]
) -> None:
    path = write_reference(tmp_path / "f.h5", clips)
    with h5py.File(path, "a") as file:
        file["train/frame_numbers"] = np.arange(10)
        file["train/states"] = clips["train"].poses.swapaxes(0, 1)
    split = EpisodeFile(path).split("train")
    assert list(split.info.extras) == ["states"]
    np.testing.assert_array_equal(split.extra("states", 1), clips["train"].poses[1])


def test_the_suite_can_tell_wrong_order(tmp_path: Path) -> None:
    """Our own layout with as many frames as episodes is still read episodes first."""
    square = make_clips(7, length=7)
    write_clips(tmp_path / "f.h5", {"train": square})
    split = EpisodeFile(tmp_path / "f.h5").split("train")
    np.testing.assert_array_equal(split.frames(2), square.frames[2])


@pytest.mark.parametrize(("object_label", "told"), [(255, True), (3, False)])
def test_labels_above_any_sense_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, object_label: int, told: bool
) -> None:
    clips = make_clips(2)
    clips.masks[:] = np.where(clips.masks > 1, object_label, 0)
    write_clips(tmp_path / "f.h5", {"train": clips})
    EpisodeFile(tmp_path / "f.h5")
    assert ("labels of 'train' reach 255" in caplog.text) == told
