"""Features from slots: per video, blind to the order of slots, and moved by what changes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.experiments.command.errors import UsageError
from armillary.experiments.realism.slot_features import SlotFeatures
from tests.experiments.realism.video_files import random_videos
from tests.experiments.tiny import SIZE, tiny_model


def videos(count: int = 4, seed: int = 0, size: int = SIZE) -> Tensor:
    return torch.from_numpy(random_videos(count, seed, size=size)).float()


def test_a_videos_features_do_not_depend_on_its_batch() -> None:
    model = tiny_model()
    network, shown = SlotFeatures(model), videos()
    together = network.features(shown)
    assert together.shape == (4, 3 * model.slot_size)
    alone = torch.cat([network.features(video[None]) for video in shown])
    assert_close(alone, together, rtol=1e-4, atol=1e-5)


def test_the_order_of_slots_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, shown = tiny_model(), videos()
    before = SlotFeatures(model).features(shown)
    slots = model.slots
    monkeypatch.setattr(model, "slots", lambda state: slots(state).flip(1))
    assert_close(SlotFeatures(model).features(shown), before)


def test_a_still_video_changes_less_than_a_moving_one() -> None:
    network, moving = SlotFeatures(tiny_model()), videos()
    still = moving[:, :1].expand_as(moving)
    change = [network.features(shown).chunk(3, -1)[2].sum() for shown in (still, moving)]
    assert change[0] < change[1]


def test_other_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="sees frames of 32 x 32 pixels, the videos have 16 x 16"):
        SlotFeatures(tiny_model()).features(videos(size=16))


def test_a_belief_that_is_nan_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    model, shown = tiny_model(), videos()
    slots = model.slots
    monkeypatch.setattr(model, "slots", lambda state: slots(state).nan_to_num())
    shown[1] = torch.nan
    features = SlotFeatures(model).features(shown)
    assert features.isfinite().all(1).tolist() == [True, False, True, True]
