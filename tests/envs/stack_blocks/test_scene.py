"""Scene vectors: one length, views into them, and what is none is refused."""

from __future__ import annotations

import numpy as np
import pytest

from armillary.envs.stack_blocks.factors import CAMERAS
from armillary.envs.stack_blocks.scene import (
    camera_of,
    checked,
    count_of,
    looks_of,
    poses_of,
    positions_of,
    room_for,
    scene_size,
    state_of,
)
from armillary.errors import ArmillaryError
from tests.envs.stack_blocks.scenes import COLORS, blocks_at


@pytest.mark.parametrize("room", [2, 3, 9])
def test_what_goes_in_comes_out(room: int) -> None:
    scene = blocks_at((-1.0, 2.0), (1.0, 3.0), room=room)
    assert scene.shape == (scene_size(room),)
    assert (count_of(scene), room_for(scene), camera_of(scene)) == (2, room, CAMERAS["near"])
    assert looks_of(scene)[:, 1:] == pytest.approx(np.array(COLORS[:2]))
    assert positions_of(scene) == pytest.approx(np.array([[-1, 2, 0.4], [1, 3, 0.4]]), abs=0.01)
    assert np.abs(poses_of(scene)[:, 3]) == pytest.approx(1.0, abs=1e-4)
    assert len(state_of(scene)) == 1 + 19 * 2


def test_views_write_into_the_scene() -> None:
    scene = blocks_at((0.0, 2.0))
    poses_of(scene)[0, 0] = 1.5
    assert positions_of(scene)[0, 0] == 1.5


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda scene: scene[:-1], "82|77"),
        (lambda scene: np.append(scene, 0.0), "is 78 finite numbers"),
        (lambda scene: np.where(scene == 1.0, np.nan, scene), "finite"),
        (lambda scene: np.append(5.0, scene[1:]), "starts with 1 to 3 blocks, got 5"),
        (lambda scene: np.append(1.5, scene[1:]), "starts with 1 to 3 blocks, got 1.5"),
    ],
)
def test_what_is_no_snapshot_is_refused(change: object, told: str) -> None:
    with pytest.raises(ArmillaryError, match=told):
        checked(change(blocks_at((0.0, 2.0))), 3)  # type: ignore[operator]
