"""Open-loop quality: right numbers, right alignment of frames, labels and horizons."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from armillary.world_models.model import Losses, Window, WorldModel
from armillary.world_models.state import LatentState, Scene
from armillary.world_models.validation.open_loop import (
    PSNR_LIMIT,
    OpenLoopQuality,
    evaluate_open_loop,
    predict,
)

SIZE = 6


@dataclass(frozen=True)
class Column(LatentState):
    """Which column is lit, (N, 1)."""

    place: Tensor


class Mover(WorldModel):
    """Knows the truth: a lit column moves by the action; ``drift`` is its error per step."""

    def __init__(self, drift: float = 0.0) -> None:
        super().__init__(
            image_size=SIZE,
            action_size=1,
            context_length=2,
            num_slots=2,
            slot_size=1,
            noise_shape=(),
        )
        self.drift = drift

    def observe(self, state: LatentState | None, action: Tensor, frame: Tensor) -> Column:
        return Column(frame[:, 0, 0].argmax(-1, keepdim=True).float())

    def step(self, state: LatentState, action: Tensor, noise: Tensor | None = None) -> Column:
        return Column(state.tensors()["place"] + action + self.drift)

    def slots(self, state: LatentState) -> Tensor:
        return state.tensors()["place"].unsqueeze(1).expand(-1, 2, -1)

    def decode(self, state: LatentState) -> Scene:
        lit = column(state.tensors()["place"][:, 0])
        masks = torch.stack([1 - lit, lit], 1).unsqueeze(2)
        return Scene(masks[:, 1:].expand(-1, 2, 3, -1, -1), masks)

    def loss(self, window: Window, objective: str, step: int) -> Losses:
        raise NotImplementedError


def column(place: Tensor) -> Tensor:
    """(...) -> (..., H, W): ones in one column."""
    lit = torch.arange(SIZE) == place.round().unsqueeze(-1)
    return lit.float().unsqueeze(-2).expand(*place.shape, SIZE, SIZE)


def clips(labels: bool = True) -> Window:
    """Three clips of five frames: a column that moves right, one that rests, one that jumps."""
    actions = torch.tensor([[1.0, 1, 1, 1], [0, 0, 0, 0], [2, -2, 2, -2]]).unsqueeze(-1)
    start = torch.tensor([0.0, 3.0, 1.0])
    places = start.unsqueeze(1) + torch.cat([torch.zeros(3, 1), actions[..., 0].cumsum(1)], 1)
    lit = column(places)
    masks = lit.long() if labels else torch.zeros(3, 5, 0, 0, dtype=torch.int64)
    return Window(lit.unsqueeze(2).expand(-1, -1, 3, -1, -1), actions, masks)


def test_perfect_model_gets_perfect_scores() -> None:
    quality = evaluate_open_loop(Mover(), clips(), context_length=2)
    assert quality.context_psnr.shape == (3, 2)
    assert quality.open_loop_psnr.shape == quality.copy_psnr.shape == (3, 3)
    assert quality.open_loop_psnr.min() == pytest.approx(PSNR_LIMIT)
    assert (quality.context_ari == 1).all()
    assert (quality.open_loop_ari == 1).all()


def test_copying_the_last_frame_is_the_floor() -> None:
    quality = evaluate_open_loop(Mover(), clips(), context_length=2)
    # Two of six columns differ wherever the column is not where the context ended.
    wrong = 10 * math.log10(SIZE / 2)
    expected = [[wrong] * 3, [PSNR_LIMIT] * 3, [wrong, PSNR_LIMIT, wrong]]
    assert quality.copy_psnr.tolist() == [pytest.approx(row) for row in expected]


def test_errors_show_at_the_horizon_where_they_happen() -> None:
    quality = evaluate_open_loop(Mover(drift=0.3), clips(), context_length=2)
    wrong = 10 * math.log10(SIZE / 2)
    # 0.3 and 0.9 columns off, rounded: right at first, then one column away.
    assert quality.open_loop_psnr[1].tolist() == pytest.approx([PSNR_LIMIT, wrong, wrong])
    assert quality.context_psnr.min() == pytest.approx(PSNR_LIMIT)
    metrics = quality.metrics()
    assert metrics["open_loop_psnr/1"] == pytest.approx(PSNR_LIMIT)
    assert metrics["open_loop_psnr/2"] == pytest.approx(wrong)
    assert metrics["open_loop_psnr"] == pytest.approx((PSNR_LIMIT + 2 * wrong) / 3)
    assert "open_loop_psnr/5" not in metrics


def test_nan_in_an_imagined_frame_is_not_averaged_away() -> None:
    quality = evaluate_open_loop(Mover(), clips(), context_length=2)
    quality.open_loop_psnr[0, 1] = math.nan
    quality.open_loop_ari[0, 1] = math.nan
    metrics = quality.metrics()
    assert math.isnan(metrics["open_loop_psnr"])
    assert metrics["open_loop_ari"] == 1


def test_without_labels_there_is_no_ari() -> None:
    quality = evaluate_open_loop(Mover(), clips(labels=False), context_length=2)
    assert quality.open_loop_ari.isnan().all()
    assert not [name for name in quality.metrics() if "ari" in name]


def test_result_does_not_depend_on_the_batch_size() -> None:
    whole = evaluate_open_loop(Mover(0.3), clips(), context_length=1, batch_size=8)
    parts = evaluate_open_loop(Mover(0.3), clips(), context_length=1, batch_size=2)
    assert torch.equal(whole.open_loop_psnr, parts.open_loop_psnr)
    assert torch.equal(whole.copy_psnr, parts.copy_psnr)
    joined = OpenLoopQuality.cat([whole, parts])
    assert joined.metrics() == pytest.approx(whole.metrics())


@pytest.mark.parametrize("context_length", [0, 5])
def test_context_must_leave_something_to_imagine(context_length: int) -> None:
    with pytest.raises(ValueError, match=r"context_length must be in 1..4 .* got"):
        predict(Mover(), clips(), context_length)


@pytest.mark.parametrize("training", [True, False])
def test_mode_is_left_as_it_was(training: bool) -> None:
    model = Mover().train(training)
    evaluate_open_loop(model, clips(), 2)
    assert model.training == training
