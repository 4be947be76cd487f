"""Populations are disjoint and different, and what cannot be compared is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from armillary.experiments.command.errors import UsageError
from armillary.experiments.realism.populations import check_comparable, divide
from armillary.experiments.realism.video_file import VideoFile
from tests.experiments.realism.video_files import random_videos, write

Make = Callable[..., VideoFile]


@pytest.fixture
def file(tmp_path: Path) -> Make:
    def make(name: str, videos: np.ndarray) -> VideoFile:
        return VideoFile(write(tmp_path / f"{name}.h5", videos))

    return make


def test_one_file_is_divided_into_disjoint_populations(file: Make) -> None:
    whole = file("a", random_videos(11, size=12))
    drawn = divide([whole], populations=3, videos=None, seed=0)
    rows = np.concatenate([population.rows for population in drawn])
    assert [len(population) for population in drawn] == [3, 3, 3]
    assert len(set(rows.tolist())) == 9
    again, other = (divide([whole], populations=3, videos=None, seed=seed) for seed in (0, 1))
    assert np.array_equal(again[0].rows, drawn[0].rows)
    assert not np.array_equal(other[0].rows, drawn[0].rows)
    check_comparable(drawn, divide([whole], populations=3, videos=2, seed=5))


def test_one_file_for_each_population(file: Make) -> None:
    files = [file(f"f{seed}", random_videos(4, seed, size=12)) for seed in range(2)]
    drawn = divide(files, populations=2, videos=None, seed=0)
    assert [population.file for population in drawn] == files
    assert [population.rows.tolist() for population in drawn] == [[0, 1, 2, 3]] * 2


def test_too_few_videos_or_files_are_refused(file: Make) -> None:
    whole = file("a", random_videos(5, size=12))
    for populations, videos in ((2, 3), (6, None), (1, 6), (1, 0)):
        with pytest.raises(UsageError, match=r"a\.h5 has 5 videos, too few for"):
            divide([whole], populations, videos, seed=0)
    with pytest.raises(UsageError, match="populations=3 needs one file or 3 of them, got 2"):
        divide([whole, whole], 3, None, seed=0)


@pytest.mark.parametrize("more", [{"frames": 9}, {"size": 14}])
def test_other_sizes_are_refused(file: Make, more: dict[str, int]) -> None:
    one = file("one", random_videos(3, **{"size": 12}))
    other = file("other", random_videos(3, **{"size": 12, **more}))
    with pytest.raises(UsageError, match=r"one\.h5 has 10 frames of 12 x 12, .*other\.h5 "):
        check_comparable(*(divide([f], 1, None, seed=0) for f in (one, other)))


def test_the_same_videos_under_two_names_are_no_two_populations(file: Make) -> None:
    videos = random_videos(4, size=12)
    real = [file("a", videos), file("b", videos[::-1])]
    made = [file(f"c{seed}", random_videos(4, seed, size=12)) for seed in (1, 2)]
    with pytest.raises(UsageError, match="real populations 0 and 1 are the same videos"):
        check_comparable(*(divide(files, 2, None, seed=0) for files in (real, made)))
    with pytest.raises(UsageError, match="generated populations 0 and 1 are the same videos"):
        check_comparable(*(divide(files, 2, None, seed=0) for files in (made, real)))


def test_repeated_videos_and_other_sizes_are_pointed_out(
    file: Make, caplog: pytest.LogCaptureFixture
) -> None:
    videos = random_videos(4, size=12)
    one, other = file("a", videos[[0, 1, 1, 2]]), file("b", videos[:3])
    with caplog.at_level(logging.WARNING, "experiments"):
        check_comparable(*(divide([f], 1, None, seed=0) for f in (one, other)))
    assert "real population 0 has 4 videos but only 3 different ones" in caplog.text
    assert "real populations have 4 videos and generated ones 3" in caplog.text
