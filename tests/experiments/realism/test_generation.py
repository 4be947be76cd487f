"""Videos of clips: right frames in the right places, whatever they are made together with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from armillary.experiments.command.errors import RunError
from armillary.experiments.realism.clips import draw_clips
from armillary.experiments.realism.generation import (
    GroundTruth,
    Imagined,
    Recorded,
    video_noise,
    windows_of,
)
from armillary.world_models.data import EpisodeFile
from tests.experiments.tiny import tiny_model

CONTEXT, LENGTH, ROLLOUTS = 2, 6, 3
ALL = np.arange(4 * ROLLOUTS)


@pytest.fixture
def recorded(episodes: Path) -> Recorded:
    windows = windows_of(EpisodeFile(episodes).split("train"), LENGTH)
    clips = draw_clips(len(windows.split), windows.starts, 4, seed=0)
    return Recorded(windows, clips, ROLLOUTS)


@pytest.fixture
def imagined(recorded: Recorded) -> Callable[..., Imagined]:
    def make(**more: Any) -> Imagined:
        options = {"keep_context": False, "slots": True, "masks": True, "ground_truth": True}
        return Imagined(recorded, tiny_model(), CONTEXT, **{"seed": 0, **options, **more})

    return make


def test_ground_truth_is_the_file(recorded: Recorded) -> None:
    made = GroundTruth(recorded).make(ALL)
    split = recorded.windows.split
    for video, episode, start in zip(made["videos"], made["episode"], made["start"], strict=True):
        assert np.array_equal(video, split.frames(int(episode), int(start), int(start) + LENGTH))
    assert made["rollout"].tolist() == [0, 1, 2] * 4


def test_everything_has_its_shape(imagined: Callable[..., Imagined]) -> None:
    source = imagined()
    made = source.make(ALL)
    lead = (len(ALL), LENGTH)
    assert made["videos"].shape == made["ground_truth"].shape == (*lead, 32, 32, 3)
    assert made["slots"].shape == (*lead, 3, source.model.slot_size)
    assert made["masks"].shape == (*lead, 3, 32, 32)
    assert {made[name].dtype for name in ("videos", "masks", "ground_truth")} == {np.dtype("u1")}
    sums = made["masks"].astype(int).sum(2)
    assert np.abs(sums - 255).max() <= 2, "rounding of three masks that sum to one"
    truth = GroundTruth(source.recorded).make(ALL)
    assert np.array_equal(made["ground_truth"], truth["videos"])
    assert set(imagined(slots=False, masks=False, ground_truth=False).make(ALL)) == set(truth)


def test_videos_do_not_depend_on_what_they_are_made_with(
    imagined: Callable[..., Imagined],
) -> None:
    source = imagined()
    together = source.make(ALL)
    for rows in (np.array([5]), np.array([1, 4, 11])):
        made = source.make(rows)
        for name, values in made.items():
            tolerance = {"videos": 1, "masks": 1, "slots": 1e-4}.get(name, 0)
            difference = np.abs(values.astype(float) - together[name][rows].astype(float))
            assert difference.max() <= tolerance, name


def test_videos_are_those_of_the_models_own_rollout(imagined: Callable[..., Imagined]) -> None:
    source = imagined(seed=7)
    row = np.array([4])
    window, model = source.recorded.read(row // ROLLOUTS), source.model
    with torch.no_grad():
        state = model.encode(window.frames[:, :CONTEXT], window.actions[:, : CONTEXT - 1])
        noise = video_noise(model, 7, 4, LENGTH - CONTEXT)[None]
        states = model.rollout(state, window.actions[:, CONTEXT - 1 :], noise)
        frames = model.decode(states.flatten(2)).frames
    made = torch.from_numpy(source.make(row)["videos"][0, CONTEXT:]).movedim(-1, 1).float() / 255
    assert_close(made, frames, atol=0.6 / 255, rtol=0)


def test_futures_differ_by_rollout_and_seed_and_share_their_context(
    imagined: Callable[..., Imagined],
) -> None:
    made, other = (imagined(seed=seed).make(ALL)["slots"] for seed in (0, 1))
    first, second = made[0], made[1]
    assert np.allclose(first[:CONTEXT], second[:CONTEXT], atol=1e-5)
    assert np.abs(first[CONTEXT:] - second[CONTEXT:]).max() > 1e-3
    assert np.abs(made[:, CONTEXT:] - other[:, CONTEXT:]).max() > 1e-3


def test_context_frames_can_be_those_recorded(imagined: Callable[..., Imagined]) -> None:
    kept, own = (imagined(keep_context=keep).make(ALL) for keep in (True, False))
    assert np.array_equal(kept["videos"][:, :CONTEXT], kept["ground_truth"][:, :CONTEXT])
    assert not np.array_equal(own["videos"][:, :CONTEXT], own["ground_truth"][:, :CONTEXT])
    assert np.array_equal(kept["videos"][:, CONTEXT:], own["videos"][:, CONTEXT:])


def test_an_imagination_gone_wrong_is_told(imagined: Callable[..., Imagined]) -> None:
    source = imagined()
    with torch.no_grad():
        for parameter in source.model.parameters():
            parameter.fill_(torch.nan)
    with pytest.raises(RunError, match="belief is NaN in video 2"):
        source.make(np.array([2, 3]))
