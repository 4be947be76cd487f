"""Pictures: labels and colours agree, towers hide what is behind them, and views differ."""

from __future__ import annotations

import numpy as np
import pytest

from armillary.envs.stack_blocks.drawing import render_scene
from armillary.envs.stack_blocks.scene import camera_of, positions_of
from tests.envs.stack_blocks.scenes import COLORS, blocks_at

APART = ((-1.5, 1.5), (0.0, 3.0), (1.5, 2.0))
TOWER = ((0.0, 2.0, 0.4), (0.0, 2.0, 1.2), (0.0, 2.0, 2.0))


@pytest.mark.parametrize("size", [64, 96, 128])
@pytest.mark.parametrize("supersampling", [1, 2])
def test_labels_and_colours_agree(size: int, supersampling: int) -> None:
    scene = blocks_at(*APART)
    frame, labels = render_scene(scene, size, supersampling)
    assert frame.shape == (size, size, 3)
    assert labels.shape == (size, size)
    assert frame.dtype == labels.dtype == np.uint8
    for i, color in enumerate(COLORS[:3]):
        seen = frame[labels == 1 + i].astype(float)
        hue = seen.mean(0) / np.linalg.norm(seen.mean(0))
        assert hue @ (color / np.linalg.norm(color)) > 0.97
        middle = np.argwhere(labels == 1 + i).mean(0)[::-1] / size
        place = camera_of(scene).project(positions_of(scene))[i]
        assert middle == pytest.approx(place, abs=0.03)
    table = frame[labels == 0].astype(float)
    assert np.median(table.std(1)) < 3.0  # grey


def test_what_is_behind_is_hidden() -> None:
    alone, tower = render_scene(blocks_at(*APART), 64, 1)[1], render_scene(blocks_at(*TOWER), 64, 1)
    seen = [int((tower[1] == 1 + i).sum()) for i in range(3)]
    assert 0 < seen[0] < 0.8 * (alone == 1).sum()
    assert seen[2] > seen[1] > 0


def test_a_row_that_is_lower_in_the_image_is_nearer_and_larger() -> None:
    _, labels = render_scene(blocks_at((0.0, 1.2), (0.0, 3.8)), 64, 1)
    assert (labels == 1).sum() > 1.3 * (labels == 2).sum()
    assert np.argwhere(labels == 1)[:, 0].mean() > np.argwhere(labels == 2)[:, 0].mean()


def test_a_picture_does_not_depend_on_what_was_drawn_before() -> None:
    scene = blocks_at(*APART)
    first = render_scene(scene, 64, 2)[0]
    render_scene(blocks_at(*TOWER), 64, 2)
    assert np.array_equal(render_scene(scene, 64, 2)[0], first)
