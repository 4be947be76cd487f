"""The TensorBoard log of a short run holds losses, metrics and images."""

from __future__ import annotations

from pathlib import Path

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from armillary.world_models.data import EpisodeFile
from armillary.world_models.registry import build_model
from armillary.world_models.state import Scene
from armillary.world_models.training.config import TrainerConfig
from armillary.world_models.training.schedule import Stage
from armillary.world_models.training.tensorboard import TensorBoard, decomposition, tile
from armillary.world_models.training.trainer import Trainer
from tests.world_models import toy


def test_run_is_logged_and_resumed_without_double_entries(
    episodes: EpisodeFile, tmp_path: Path
) -> None:
    stages = (Stage("joint", 1.0, batch_size=4, length=3),)
    for steps in (4, 6):
        settings = TrainerConfig(stages, max_steps=steps, validate_every=2, device="cpu")
        trainer = Trainer(settings, tmp_path, [TensorBoard(tmp_path / "tb", every=1)])
        trainer.fit(build_model(toy.NAME), episodes.split("train"), episodes.split("val"))
    log = EventAccumulator(str(tmp_path / "tb")).Reload()
    losses = log.Scalars("train/total")
    assert [event.step for event in losses] == [1, 2, 3, 4, 5, 6]
    assert all(event.value > 0 for event in losses)
    assert [event.step for event in log.Scalars("validation/open_loop_psnr/5")] == [2, 4, 6]
    # 4 clips of 5 imagined frames, each above the other: 2 x 8 px high, 8 px wide.
    image = log.Images("open_loop/true_over_imagined")[-1]
    assert (image.height, image.width) == (4 * 16, 5 * 8)
    assert len(log.Images("context/masks_of_last_frame")) == 3
    assert len(log.Images("open_loop/masks_of_last_frame")) == 3
    # Truth, composed frames, 2 components and 2 masks, of 2 + 5 frames.
    slots = log.Images("slots/of_first_clip")[-1]
    assert (slots.height, slots.width) == (6 * 8, 7 * 8)


def test_tile_puts_clips_in_rows_and_frames_in_columns() -> None:
    images = torch.arange(6.0).reshape(2, 3, 1, 1, 1).expand(-1, -1, 3, 2, 2)
    tiled = tile(images)
    assert tiled.shape == (3, 4, 6)
    assert tiled[0, ::2, ::2].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_decomposition_has_truth_frames_components_and_masks_in_rows() -> None:
    masks = torch.rand(4, 3, 1, 2, 2).softmax(1)
    scene = Scene(torch.rand(4, 3, 3, 2, 2), masks)
    truth = torch.rand(4, 3, 2, 2)
    rows = decomposition(truth, scene)
    assert rows.shape == (8, 4, 3, 2, 2)
    assert torch.equal(rows[0], truth)
    assert torch.equal(rows[1], scene.frames)
    for slot in range(3):
        assert torch.equal(rows[2 + slot], scene.components[:, slot])
        assert torch.equal(rows[5 + slot], masks[:, slot].expand(-1, 3, -1, -1))
