"""The picture and its labels are those of a full cast, pixel by pixel."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from armillary.envs.mujoco.rays import NOTHING, Light, RayRenderer
from armillary.envs.mujoco.simulation import Simulation
from armillary.errors import ArmillaryError
from tests.envs.mujoco.scenes import CAMERA, fallen

SIZE = 48


def cast(simulation: Simulation, each: int) -> tuple[np.ndarray, np.ndarray]:
    """All rays at everything: colours and geoms (SIZE, SIZE, each * each)."""
    rays = CAMERA.rays(SIZE, each).reshape(-1, 3)
    geoms, normals = np.zeros(len(rays), np.int32), np.zeros((len(rays), 3))
    origin = np.asarray(CAMERA.position)
    mujoco.mj_multiRay(
        *(simulation.model, simulation.data, origin, rays.ravel(), None, True, -1, geoms),
        *(np.zeros(len(rays)), normals.reshape(-1), len(rays), 1e6),
    )
    colors = simulation.model.geom_rgba[:, :3].astype(float)
    shown = np.tile(Light().sky, (len(rays), 1))
    hit = geoms != NOTHING
    shown[hit] = Light().shade(colors[geoms[hit]], normals[hit])
    shape = (SIZE, SIZE, each * each)
    return shown.reshape(*shape, 3), geoms.reshape(shape)


@pytest.mark.parametrize("each", [1, 2, 3])
@pytest.mark.parametrize("steps", [0, 25, 120])
def test_nothing_differs_from_a_full_cast(each: int, steps: int) -> None:
    simulation = fallen(steps)
    renderer = RayRenderer(fallen(0), CAMERA, SIZE, each)
    frame, geoms = renderer(simulation)
    shown, met = cast(simulation, each)
    assert np.array_equal(frame, (shown.mean(2) * 255.0 + 0.5).astype(np.uint8))
    votes = (met == geoms[..., None]).sum(-1)
    most = (met[..., None] == met[..., None, :]).sum(-1).max(-1)
    assert (votes == most).all()
    assert {1, 2, 3, 4} <= set(geoms.ravel().tolist())


LAMP = Light(towards=(-0.3, -0.2, 1.0), shadow=0.5)


def dark(simulation: Simulation, geoms: np.ndarray) -> np.ndarray:
    """(SIZE, SIZE) bool: what never moves, where something that does is before the light."""
    model, data, found = simulation.model, simulation.data, np.zeros(1, np.int32)
    towards = np.array(LAMP.towards) / np.linalg.norm(LAMP.towards)
    shaded = np.zeros(geoms.shape, bool)
    for (row, column), geom in np.ndenumerate(geoms):
        if geom in (0, 1):
            ray, origin = CAMERA.rays(SIZE, 1)[row, column, 0], np.asarray(CAMERA.position)
            away = mujoco.mj_ray(model, data, origin, ray, None, 1, -1, found)
            spot = origin + away * ray + 1e-4 * towards
            shaded[row, column] = mujoco.mj_ray(model, data, spot, towards, None, 0, -1, found) >= 0
    return shaded


@pytest.mark.parametrize("steps", [0, 120])
def test_what_moves_casts_shadows_on_what_does_not(steps: int) -> None:
    simulation = fallen(steps)
    light = Light(towards=LAMP.towards)
    plain, labels = RayRenderer(fallen(0), CAMERA, SIZE, 1, light)(simulation)
    frame, geoms = RayRenderer(fallen(0), CAMERA, SIZE, 1, LAMP)(simulation)
    assert np.array_equal(geoms, labels)
    found, expected = (frame != plain).any(-1), dark(simulation, geoms)
    assert expected.sum() > 20
    assert (found != expected).sum() <= 0.05 * expected.sum()  # the lamp's light is nearly parallel
    both = found & (geoms == 0)
    facing = LAMP.towards[2] / np.linalg.norm(LAMP.towards)
    share = (light.ambient + 0.5 * light.diffuse * facing) / (
        light.ambient + light.diffuse * facing
    )
    assert np.allclose(frame[both], share * plain[both], atol=1.0)


def test_pixels_with_several_rays_are_dim_by_the_share_of_those_in_shadow() -> None:
    light = Light(towards=LAMP.towards)
    one, four, none = (
        RayRenderer(fallen(0), CAMERA, SIZE, each, lamp)(fallen(0))[0].astype(float)
        for each, lamp in ((1, LAMP), (2, LAMP), (2, light))
    )
    plain = RayRenderer(fallen(0), CAMERA, SIZE, 1, light)(fallen(0))[0]
    inside = (one != plain).any(-1)
    dimmed = (four != none).any(-1)
    assert (inside & ~dimmed).sum() <= 0.1 * inside.sum()
    assert dimmed.sum() > inside.sum(), "edges are partly in shadow"
    assert (four <= none).all()


def test_the_last_shadow_is_gone() -> None:
    renderer = RayRenderer(fallen(0), CAMERA, SIZE, 1, LAMP)
    first = renderer(fallen(0))[0]
    assert not np.array_equal(renderer(fallen(120))[0], first)
    assert np.array_equal(renderer(fallen(0))[0], first)


def test_things_hide_each_other_and_are_shaded() -> None:
    frame, geoms = RayRenderer(fallen(0), CAMERA, SIZE, 1)(fallen(0))
    ball = frame[geoms == 2]
    assert (ball[:, 0] > 2 * ball[:, 1]).all()  # red
    assert len(np.unique(ball[:, 0])) > 10  # round
    behind = RayRenderer(fallen(0), CAMERA, SIZE, 1)(hidden())[1]
    assert (behind == 2).sum() < (geoms == 2).sum() / 4


def hidden() -> Simulation:
    """The ball is behind the wall."""
    simulation = fallen(0)
    simulation.data.qpos[:3] = 0.0, 2.0, 0.3
    simulation.place()
    return simulation


def test_colors_can_be_given_for_what_moves() -> None:
    simulation = fallen(0)
    colors = np.zeros((5, 3))
    colors[2] = 0.0, 0.0, 1.0
    frame, geoms = RayRenderer(simulation, CAMERA, SIZE, 1)(simulation, colors)
    assert (frame[geoms == 2][:, :2] == 0).all()
    assert (frame[geoms == 2][:, 2] > 90).all()
    assert np.array_equal(
        frame[geoms == 0], RayRenderer(simulation, CAMERA, SIZE, 1)(simulation)[0][geoms == 0]
    )


def test_where_nothing_is_there_is_the_sky() -> None:
    low = type(CAMERA)((0.0, -3.0, 0.5), (0.0, 0.0, 1.5), 50.0)
    frame, geoms = RayRenderer(fallen(0), low, SIZE, 1)(fallen(0))
    assert (frame[geoms == NOTHING] == (np.array(Light().sky) * 255 + 0.5).astype(np.uint8)).all()
    assert (geoms[0] == NOTHING).any()


def test_every_single_ray_meets_the_same() -> None:
    """MuJoCo's rays together leave out what they think is aside; one by one they do not."""
    simulation, found = fallen(25), np.zeros(1, np.int32)
    geoms = RayRenderer(fallen(0), CAMERA, SIZE, 1)(simulation)[1].ravel()
    for ray, geom in zip(CAMERA.rays(SIZE, 1).reshape(-1, 3), geoms, strict=True):
        origin = np.asarray(CAMERA.position)
        mujoco.mj_ray(simulation.model, simulation.data, origin, ray, None, 1, -1, found)
        assert found[0] == geom


def test_light_that_cannot_be_is_refused() -> None:
    for wrong in ({"shadow": 1.5}, {"shadow": -0.1}, {"shadow": 0.5, "towards": (1.0, 0.0, 0.0)}):
        with pytest.raises(ArmillaryError, match="must"):
            Light(**wrong)
    assert Light(towards=(1.0, 0.0, 0.0)).shadow == 0.0
