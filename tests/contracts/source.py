"""What every data source promises. Inherit the class and say how to make one."""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import pytest

from armillary.errors import ArmillaryError
from armillary.world_models.data.schema import SPLITS
from armillary.world_models.data.sources.source import Source


class SourceContract(ABC):
    """Inherit, name the class ``Test...`` and implement ``make``."""

    @abstractmethod
    def make(self, folder: Path) -> Source:
        """A small data set of at least two episodes, written into an empty folder."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> Source:
        return self.make(tmp_path)

    def test_parts_are_of_known_splits_and_the_same_each_time(self, source: Source) -> None:
        parts = source.parts()
        assert parts
        assert {part.split for part in parts} <= set(SPLITS)
        assert all(part.stamp for part in parts)
        assert parts == source.parts()

    def test_episodes_are_frames_and_actions_of_one_shape(self, source: Source) -> None:
        episodes = [episode for part in source.parts() for episode in source.episodes(part)]
        assert len(episodes) >= 2
        frames, actions = episodes[0].frames, episodes[0].actions
        assert frames.dtype == np.uint8
        assert frames.ndim == 4
        assert frames.shape[-1] == 3
        assert len(actions) == len(frames) - 1
        for episode in episodes:
            assert episode.frames.shape == frames.shape
            assert episode.actions.shape == actions.shape
            assert np.isfinite(episode.actions).all()

    def test_reads_the_same_in_another_process(self, source: Source) -> None:
        copy = pickle.loads(pickle.dumps(source))
        part = source.parts()[0]
        for here, there in zip(source.episodes(part), copy.episodes(part), strict=True):
            assert np.array_equal(here.frames, there.frames)
            assert np.array_equal(here.actions, there.actions)

    def test_an_empty_folder_is_a_mistake(self, source: Source, tmp_path: Path) -> None:
        for path in sorted(tmp_path.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        with pytest.raises(ArmillaryError):
            source.parts()
