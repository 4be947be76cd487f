"""Windows that are cut on the device are those that are read."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from armillary.world_models.data import EpisodeFile, WindowDataset
from armillary.world_models.training.engine import Share
from armillary.world_models.training.schedule import Stage
from armillary.world_models.training.steps.batches import stage_batches
from armillary.world_models.training.steps.resident import ResidentWindows, fits
from tests.world_models.training.runs import fresh


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("length", [1, 2, 3])
def test_all_windows_are_those_of_the_data_set(
    episodes: EpisodeFile, stride: int, length: int
) -> None:
    split = episodes.split("train")
    if (length - 1) * stride + 1 > split.length:
        pytest.skip("longer than the episodes")
    dataset = WindowDataset(split, length, stride, labels=False)
    resident = ResidentWindows(dataset, torch.device("cpu"))
    indices = np.random.default_rng(0).permutation(len(dataset))[:60]
    expected = dataset.batch(indices.tolist())
    found = resident.batch(torch.from_numpy(indices))
    for name in ("frames", "actions", "labels", "previous"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    assert dataset.starts == 1 or expected.previous.any()


def test_a_stages_batches_are_the_same_wherever_the_frames_lie(episodes: EpisodeFile) -> None:
    stage = Stage("joint", 1.0, batch_size=4, length=3, stride=2)
    share = Share(1, 2)
    read, cut = (
        islice(
            stage_batches(
                fresh(), episodes.split("train"), stage, seed=3, share=share, resident=resident
            ),
            5,
        )
        for resident in (False, True)
    )
    for one, other in zip(read, cut, strict=True):
        for name, tensor in one.tensors().items():
            assert torch.equal(other.tensors()[name], tensor), name
        assert len(one.tensors()["frames"]) == 2


def test_on_a_processor_frames_stay_where_they_are(episodes: EpisodeFile) -> None:
    assert not fits(episodes.split("train"), torch.device("cpu"))
