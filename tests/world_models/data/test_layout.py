"""A foreign file's leading axes are told apart by evidence, and what is ambiguous is refused."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from armillary.errors import ArmillaryError
from armillary.world_models.data import DataError, EpisodeFile, Layout


def films(count: int, length: int, seed: int = 0) -> np.ndarray:
    """[N, T, 12, 12, 3] uint8: a square that moves slowly over a picture of each film's own."""
    rng = np.random.default_rng(seed)
    frames = np.repeat(rng.integers(0, 120, (count, 1, 12, 12, 3)), length, 1).astype(np.uint8)
    for episode, time in np.ndindex(count, length):
        frames[episode, time, 2:5, time % 9 : time % 9 + 3] = 250
    return frames


def write(
    path: Path, splits: dict[str, np.ndarray], layout: Layout, steps: int | None = 0
) -> EpisodeFile:
    """Writes films with h5py alone; ``steps`` more actions than frames, None for no actions."""
    with h5py.File(path, "w") as file:
        for name, frames in splits.items():
            swap = layout is Layout.REFERENCE
            file[f"{name}/imgs"] = frames.swapaxes(0, 1) if swap else frames
            if steps is not None:
                count, length = frames.shape[:2]
                actions = np.arange(count * (length + steps), dtype=np.float32)
                actions = actions.reshape(count, length + steps, 1)
                file[f"{name}/actions"] = actions.swapaxes(0, 1) if swap else actions
    return EpisodeFile(path, actions=steps is not None)


@pytest.mark.parametrize("steps", [-1, 0, None], ids=["T - 1 actions", "T actions", "no actions"])
@pytest.mark.parametrize("sizes", [(6, 6), (9, 5), (5, 9)], ids=str)
@pytest.mark.parametrize("layout", list(Layout))
def test_films_tell_which_axis_is_time(
    tmp_path: Path, layout: Layout, sizes: tuple[int, int], steps: int | None
) -> None:
    frames = films(*sizes)
    file = write(tmp_path / "f.h5", {"train": frames}, layout, steps)
    split = file.split("train")
    assert (file.layout, len(split), split.length) == (layout, *sizes)
    np.testing.assert_array_equal(split.frames(2), frames[2])
    if steps is not None:
        assert np.diff(split.actions(3)[:, 0]).tolist() == [1.0] * (sizes[1] - 2)


@pytest.mark.parametrize("layout", list(Layout))
def test_splits_of_noise_share_the_length_of_time(tmp_path: Path, layout: Layout) -> None:
    rng = np.random.default_rng(0)
    splits = {
        name: rng.integers(0, 256, (count, 6, 8, 8, 3), dtype=np.uint8)
        for name, count in (("train", 9), ("val", 4))
    }
    assert write(tmp_path / "f.h5", splits, layout).layout is layout


def test_what_nothing_decides_is_refused_until_it_is_said(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (6, 6, 8, 8, 3), dtype=np.uint8)
    path = tmp_path / "f.h5"
    with pytest.raises(DataError, match=r"\(6, 6\).*data.layout=episodes.*data.layout=reference"):
        write(path, {"train": noise}, Layout.EPISODES)
    assert EpisodeFile(path, layout="episodes").split("train").frames(2, 0, 1).shape[0] == 1
    np.testing.assert_array_equal(
        EpisodeFile(path, layout="reference").split("train").frames(2), noise[:, 2]
    )
    with pytest.raises(ArmillaryError, match="unknown layout 'episode'; did you mean 'episodes'"):
        EpisodeFile(path, layout="episode")


def test_signs_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    """Two splits of as many episodes and other lengths look as if the axes were swapped."""
    splits = {"train": films(6, 9), "val": films(6, 5, seed=1)}
    with pytest.raises(DataError, match="lengths of the splits say reference but the frames say"):
        write(tmp_path / "f.h5", splits, Layout.EPISODES)


def test_a_declaration_is_not_overruled(episode_path: Path) -> None:
    with pytest.raises(DataError, match="declares layout episodes, not reference"):
        EpisodeFile(episode_path, layout="reference")
