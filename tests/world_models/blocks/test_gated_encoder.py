"""The gated encoder: folding BatchNorm into the convolutions changes no number."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from armillary.contracts.memory import Widest
from armillary.experiments.speed.subjects import PlainGatedEncoder
from armillary.world_models.blocks.gated_encoder import GatedEncoder


def test_evaluation_equals_the_plain_formulation() -> None:
    torch.manual_seed(0)
    plain, ours = PlainGatedEncoder(16, 8), GatedEncoder(16, 8)
    frames = torch.rand(40, 3, 16, 16)
    plain(frames.square())  # moves the running statistics, which evaluation reads
    ours.load_state_dict(plain.state_dict())
    assert_close(ours(frames), plain(frames))
    plain.eval()
    ours.eval()
    with torch.no_grad():
        assert_close(ours(frames), plain(frames))
        assert not torch.allclose(ours(frames), ours.train()(frames), atol=1e-3)


def test_no_device_convolves_all_frames_at_once() -> None:
    """Meta tensors stand for an accelerator's."""
    widest = Widest()
    with torch.device("meta"), torch.no_grad(), widest:
        GatedEncoder(16, 8).eval()(torch.empty(2000, 3, 16, 16))
    assert 16 < widest.batch <= 512
