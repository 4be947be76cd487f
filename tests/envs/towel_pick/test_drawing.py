"""Pictures: labels and colours agree, ray by ray, and the gripper hides what is behind it."""

from __future__ import annotations

import numpy as np
import pytest

from armillary.envs.mujoco.library import mujoco
from armillary.envs.towel_pick.drawing import render_scene
from armillary.envs.towel_pick.physics import simulation_of
from armillary.envs.towel_pick.scene import camera_of, positions_of
from tests.envs.towel_pick.scenes import APART, COLORS, OPEN, objects_at


@pytest.mark.parametrize("size", [64, 96, 128])
@pytest.mark.parametrize("supersampling", [1, 2])
def test_labels_and_colours_agree(size: int, supersampling: int) -> None:
    scene = objects_at(*APART, gripper=(0.0, 0.2, 0.1))
    frame, labels = render_scene(scene, size, supersampling)
    assert frame.shape == (size, size, 3)
    assert labels.shape == (size, size)
    assert frame.dtype == labels.dtype == np.uint8
    for i, color in enumerate(COLORS[:4]):
        seen = frame[labels == 2 + i].astype(float)
        hue = seen.mean(0) / np.linalg.norm(seen.mean(0))
        assert hue @ (np.array(color) / np.linalg.norm(color)) > 0.97
        middle = np.argwhere(labels == 2 + i).mean(0)[::-1] / size
        place = camera_of(scene).project(positions_of(scene))[i]
        assert middle == pytest.approx(place, abs=0.03)
    assert 0.02 < (labels == 1).mean() < 0.3


def test_every_single_ray_meets_what_the_label_says() -> None:
    scene = objects_at(*APART, gripper=(0.05, -0.05, 0.05), fingers=OPEN)
    labels, camera = render_scene(scene, 64, 1)[1].ravel(), camera_of(scene)
    simulation, found = simulation_of(scene), np.zeros(1, np.int32)
    model = simulation.model
    first = model.ngeom - 4
    for ray, label in zip(camera.rays(64, 1).reshape(-1, 3), labels, strict=True):
        origin = np.asarray(camera.position)
        mujoco().mj_ray(model, simulation.data, origin, ray, None, 1, -1, found)
        geom = int(found[0])
        moves = geom >= 0 and model.body_weldid[model.geom_bodyid[geom]] != 0
        assert label == (2 + geom - first if geom >= first else int(moves))


def test_the_arm_reaches_out_of_the_image() -> None:
    for y in (-0.2, 0.0, 0.2):
        for z in (0.01, 0.19):
            scene = objects_at((0.15, 0.0), gripper=(0.0, y, z))
            assert (render_scene(scene, 64, 1)[1][0] == 1).any()


def test_the_gripper_hides_what_is_behind_it() -> None:
    seen = [
        (render_scene(objects_at((0.0, 0.1), gripper=(0.0, y, 0.05)), 64, 1)[1] == 2).sum()
        for y in (-0.05, 0.2)
    ]
    assert seen[0] < 0.5 * seen[1]


def test_the_shadow_tells_how_high_the_gripper_is() -> None:
    def floor(height: float) -> np.ndarray:
        scene = objects_at((0.15, -0.15), gripper=(-0.05, 0.0, height))
        frame, labels = render_scene(scene, 64, 1)
        return np.where((labels == 0)[..., None], frame, 0).astype(int)

    empty = render_scene(objects_at((0.15, -0.15), gripper=(0.18, 0.22, 0.2)), 64, 1)[0]
    dim = [((high > 0) & (high < 0.95 * empty)).all(-1) for high in map(floor, (0.01, 0.15))]
    assert min(shadow.sum() for shadow in dim) > 5
    below, aside = (np.argwhere(shadow).mean(0) for shadow in dim)
    assert abs(below - aside).max() > 1.0
