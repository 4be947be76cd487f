"""Scene vectors: one length, views into them, and what is none is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from armillary.envs.towel_pick.factors import CAMERAS
from armillary.envs.towel_pick.physics import simulate
from armillary.envs.towel_pick.scene import (
    VERSION,
    Scene,
    camera_of,
    checked,
    count_of,
    driven_of,
    gripper_of,
    looks_of,
    poses_of,
    positions_of,
    room_for,
    scene_size,
    state_of,
    with_gripper,
)
from armillary.errors import ArmillaryError
from tests.envs.towel_pick.scenes import COLORS, objects_at


@pytest.mark.parametrize("room", [2, 4, 6])
def test_what_goes_in_comes_out(room: int) -> None:
    scene = objects_at((-0.1, 0.0), (0.1, 0.05), room=room, gripper=(0.1, -0.1, 0.2))
    assert scene.shape == (scene_size(room),)
    assert (count_of(scene), room_for(scene), camera_of(scene)) == (2, room, CAMERAS["front"])
    assert looks_of(scene)[:, 0].tolist() == [0, 1]
    assert looks_of(scene)[:, 2:] == pytest.approx(np.array(COLORS[:2]))
    assert positions_of(scene)[:, :2] == pytest.approx(
        np.array([[-0.1, 0.0], [0.1, 0.05]]), abs=1e-3
    )
    assert gripper_of(scene) == pytest.approx([0.1, -0.1, 0.2, 0.0, 0.0], abs=1e-3)
    assert driven_of(scene) == pytest.approx([0.1, -0.1, 0.2, 0.0, 0.0])
    assert len(state_of(scene)) == 21 + 19 * 2


def test_views_write_into_the_scene() -> None:
    scene = objects_at((0.0, 0.0))
    poses_of(scene)[0, 0] = 0.07
    assert positions_of(scene)[0, 0] == 0.07


def test_the_gripper_can_be_put_elsewhere() -> None:
    scene = objects_at((0.0, 0.0))
    other = with_gripper(scene, np.array([0.1, 0.1, 0.15, 0.02, 0.02]))
    assert np.array_equal(positions_of(other), positions_of(scene))
    later = simulate(other, np.zeros((3, 4)))[-1]
    assert gripper_of(later) == pytest.approx([0.1, 0.1, 0.15, 0.02, 0.02], abs=1e-3)
    assert gripper_of(scene)[2] == pytest.approx(0.18, abs=1e-3)


def changed(**numbers: float) -> Callable[[Scene], Scene]:
    """A function that writes numbers at their places, ``_9`` say."""

    def change(scene: Scene) -> Scene:
        for place, number in numbers.items():
            scene[int(place[1:])] = number
        return scene

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda scene: scene[:-1], "is 126 finite numbers, got shape .125"),
        (changed(_20=np.nan), "is 126 finite numbers"),
        (changed(_0=VERSION + 1), "version 2 of TowelPick does not go with version 1.*record it"),
        (changed(_1=5), "1 to 4 objects, got 5"),
        (changed(_1=1.5), "1 to 4 objects, got 1.5"),
        (changed(_9=4), "shapes in a snapshot are 0 to 3"),
    ],
)
def test_what_is_no_snapshot_is_refused(change: Callable[[Scene], Scene], told: str) -> None:
    with pytest.raises(ArmillaryError, match=told):
        checked(change(objects_at((0.0, 0.0))), 4)
