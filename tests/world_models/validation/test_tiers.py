"""Best, random and worst of several rollouts: chosen per clip, by sums, under fixed noise."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from armillary.world_models.data import EpisodeFile
from armillary.world_models.imagine import Budget, Imaginer
from armillary.world_models.model import Window
from armillary.world_models.state import LatentState, Scene
from armillary.world_models.validation.open_loop import PSNR_LIMIT, evaluate_open_loop
from armillary.world_models.validation.tiers import evaluate_rollouts, tier_means
from tests.world_models.training.runs import JOINT, config, fit
from tests.world_models.validation.test_validation import SIZE, Column, Mover, clips


class Jumper(Mover):
    """Right about half of the time: else the column lands one further."""

    def __init__(self) -> None:
        super().__init__()
        self.noise_shape = (1,)

    def step(self, state: LatentState, action: Tensor, noise: Tensor | None = None) -> Column:
        following = super().step(state, action).place
        return Column(following if noise is None else following + (noise > 0))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_tiers_are_chosen_per_clip_by_the_sum_over_frames() -> None:
    # (S = 3, N = 2, H = 2); the first clip's best is rollout 1, the second's rollout 2.
    scores = torch.tensor([[[1.0, 2], [9, 0]], [[5, 0], [0, 1]], [[0, 1], [6, 6]]])
    tiers = tier_means("psnr", scores)
    assert tiers == {
        "psnr_best": (5 + 0 + 6 + 6) / 4,
        "psnr_random": (1 + 2 + 9 + 0) / 4,
        "psnr_worst": (0 + 1 + 0 + 1) / 4,
    }


def test_nan_shows_in_every_tier() -> None:
    scores = torch.zeros(3, 2, 2)
    scores[1, 0, 0] = math.nan
    assert all(math.isnan(value) for value in tier_means("psnr", scores).values())


def test_more_rollouts_have_a_better_best_and_a_worse_worst() -> None:
    one, few, many = (
        evaluate_rollouts(Jumper(), clips(), 2, count, generator(3)) for count in (1, 3, 40)
    )
    assert one["open_loop_psnr_best"] == one["open_loop_psnr_worst"]
    assert one["open_loop_psnr_random"] == many["open_loop_psnr_random"]
    assert one["open_loop_psnr_best"] <= few["open_loop_psnr_best"] < many["open_loop_psnr_best"]
    assert many["open_loop_psnr_worst"] < few["open_loop_psnr_worst"]
    assert few["open_loop_psnr_worst"] < few["open_loop_psnr_random"] < few["open_loop_psnr_best"]
    # Among 40 rollouts of 3 steps one is right all the way.
    assert many["open_loop_psnr_best"] == pytest.approx(PSNR_LIMIT)
    assert set(many) == {f"open_loop_psnr_{tier}" for tier in ("best", "random", "worst")}


def test_result_is_a_function_of_the_generator() -> None:
    first, again, other = (
        evaluate_rollouts(Jumper(), clips(), 2, 4, generator(seed)) for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_without_noise_all_tiers_are_the_mean_rollout() -> None:
    class Deaf(Mover):
        def __init__(self) -> None:
            super().__init__(drift=0.3)
            self.noise_shape = (1,)

    tiers = evaluate_rollouts(Deaf(), clips(), 2, 3, generator(), batch_size=2)
    mean = evaluate_open_loop(Deaf(), clips(), 2).metrics()["open_loop_psnr"]
    assert list(tiers.values()) == [pytest.approx(mean)] * 3


class Wide(Jumper):
    """The same on images of 18 pixels; remembers how many it decoded at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.decoded: list[int] = []

    def observe(self, state: LatentState | None, action: Tensor, frame: Tensor) -> Column:
        return super().observe(state, action, frame[..., ::3, ::3])

    def check_inputs(self, frames: Tensor, actions: Tensor) -> None:
        pass

    def decode(self, state: LatentState) -> Scene:
        self.decoded.append(len(state))
        return super().decode(state).map(enlarged)


def enlarged(images: Tensor) -> Tensor:
    return images.repeat_interleave(3, -1).repeat_interleave(3, -2)


def test_ssim_where_images_are_wide_enough_and_memory_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "armillary.world_models.imagine.CPU", Budget(pixels=4 * 2 * SIZE**2, bytes=2**20)
    )
    model, small = Wide(), clips()
    window = Window(enlarged(small.frames), small.actions, small.labels)
    tiers = evaluate_rollouts(model, window, 2, 40, generator())
    assert tiers["open_loop_ssim_best"] == pytest.approx(1.0)
    assert tiers["open_loop_ssim_worst"] < tiers["open_loop_ssim_random"] < 1
    assert max(model.decoded) == 4


def test_pieces_of_a_decoding_are_put_together_in_order() -> None:
    states = Column(torch.arange(6.0).reshape(6, 1))
    whole = Imaginer(Mover()).decode(states)
    parts = Imaginer(Mover(), budget=Budget(1, 1)).decode(states)
    assert torch.equal(whole.components, parts.components)
    assert parts.masks.shape == (6, 2, 1, SIZE, SIZE)


def test_validation_logs_tiers_beside_the_mean_and_changes_no_training(
    episodes: EpisodeFile, tmp_path: Path
) -> None:
    _, plain = fit(episodes, config(JOINT, max_steps=6), tmp_path / "plain")
    settings = config(JOINT, max_steps=6, validation_rollouts=5)
    _, tiers = fit(episodes, settings, tmp_path / "tiers")
    assert [r.losses for r in plain.steps] == [r.losses for r in tiers.steps]
    before, after = plain.validations[-1].metrics, tiers.validations[-1].metrics
    added = {f"open_loop_psnr_{tier}" for tier in ("best", "random", "worst")}
    assert set(after) - set(before) == added
    assert {name: after[name] for name in before} == before
    assert after["open_loop_psnr_worst"] < after["open_loop_psnr_best"]
