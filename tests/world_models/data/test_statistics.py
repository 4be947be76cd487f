"""Actions are normalised by what varies; what does not vary, or outgrows the rest, is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from armillary.world_models.data import DataError, EpisodeFile, Split, action_statistics
from armillary.world_models.registry import build_model
from tests.world_models.data.conftest import Clips, make_clips

Written = Callable[[Clips], Path]


def split_of(written: Written, second: np.ndarray) -> Split:
    """Episodes whose second action number is ``second``, broadcast to [N, T - 1]."""
    clips = make_clips(9)
    clips.actions[..., 1] = second
    return EpisodeFile(written(clips)).split("train")


@pytest.mark.parametrize("noise", [0.0, 1e-7], ids=["constant", "rounding"])
@pytest.mark.parametrize("level", [0.0, 0.37, -2000.0])
@pytest.mark.parametrize("stride", [1, 3])
def test_what_does_not_vary_keeps_its_unit(
    written: Written, level: float, noise: float, stride: int
) -> None:
    rounding = level * noise * np.random.default_rng(0).normal(size=(9, 6))
    found = action_statistics(split_of(written, level + rounding), stride)
    assert found.std[1] == 1.0
    assert found.std[0] > 0.5
    model = build_model("slot_dynamics", image_size=32, action_size=2, num_slots=2)
    model.set_action_statistics(found.mean, found.std)
    shifted = model.normalise_action(torch.tensor([0.0, stride * level + 0.01]))[1]
    assert shifted == pytest.approx(0.01, abs=1e-3)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_any_unit_is_normalised(written: Written, unit: float) -> None:
    values = unit * np.random.default_rng(0).normal(size=(9, 6))
    found = action_statistics(split_of(written, values))
    np.testing.assert_allclose(found.std[1], values.std(), rtol=1e-5)


def test_an_episode_that_outgrows_the_others_is_named(
    written: Written, caplog: pytest.LogCaptureFixture
) -> None:
    values = np.random.default_rng(0).normal(size=(9, 6))
    values[4, 2] = 1e6
    action_statistics(split_of(written, values))
    assert "number 1 of action 2 of episode 4 of 'train' is 1e+06" in caplog.text


@pytest.mark.parametrize("rare", [True, False])
def test_a_rare_action_is_none_of_them(
    written: Written, caplog: pytest.LogCaptureFixture, rare: bool
) -> None:
    """A button pressed once is no mistake."""
    values = np.zeros((9, 6)) if rare else np.random.default_rng(0).normal(size=(9, 6))
    values[4, 2] = 1.0
    action_statistics(split_of(written, values))
    assert not caplog.text


def test_an_action_beyond_any_unit_is_refused(written: Written) -> None:
    values = np.zeros((9, 6))
    values[4, 2] = 3e38
    with pytest.raises(DataError, match=r"action 2 of episode 4 of 'train' is .*unit: 3e\+38"):
        action_statistics(split_of(written, values))


def test_a_model_takes_no_deviation_of_nothing() -> None:
    model = build_model("slot_dynamics", image_size=32, action_size=2, num_slots=2)
    with pytest.raises(ValueError, match="must be above 0"):
        model.set_action_statistics(torch.zeros(2), torch.tensor([1.0, 0.0]))
