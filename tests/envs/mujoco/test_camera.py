"""Cameras: rays and points agree, and windows hold what can be seen."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from armillary.envs.mujoco.camera import Camera
from tests.envs.mujoco.scenes import CAMERA

DOWN = Camera((0.5, 0.2, 4.0), (0.5, 0.2, 0.0), 60.0)


@pytest.mark.parametrize("camera", [CAMERA, DOWN])
@pytest.mark.parametrize("each", [1, 3])
def test_points_on_a_pixels_rays_are_in_that_pixel(camera: Camera, each: int) -> None:
    rays = camera.rays(16, each)
    assert rays.shape == (16, 16, each * each, 3)
    assert np.linalg.norm(rays, axis=-1) == pytest.approx(1.0)
    places = camera.project(np.asarray(camera.position) + 2.5 * rays) * 16
    rows, columns = np.mgrid[:16, :16]
    assert (np.floor(places[..., 0]) == columns[..., None]).all()
    assert (np.floor(places[..., 1]) == rows[..., None]).all()


def test_right_is_right_and_up_is_up() -> None:
    places = CAMERA.project(np.array([[0.5, 0.0, 0.3], [0.0, 0.0, 0.8], [0.0, 0.0, 0.3]]))
    assert places[2] == pytest.approx([0.5, 0.5])
    assert places[0, 0] > 0.5
    assert places[1, 1] < 0.5


def boxes(centre: np.ndarray, half: np.ndarray) -> np.ndarray:
    """(1, 8, 3): the corners."""
    return (centre + half * np.array([*product((-1.0, 1.0), repeat=3)]))[None]


def test_a_window_holds_all_of_a_body_and_little_else() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        centre, half = rng.uniform(-1.0, 1.0, 3), rng.uniform(0.05, 0.5, 3)
        [(rows, columns)] = CAMERA.windows(boxes(centre, half), 64)
        places = CAMERA.project(centre + half * rng.uniform(-1.0, 1.0, (4000, 3))) * 64
        for line, span in ((places[:, 1], rows), (places[:, 0], columns)):
            low, high = np.clip([line.min(), line.max()], 0, 64)
            assert span.start <= low
            assert high <= span.stop
            assert span.stop - span.start <= high - low + 0.2 * 64 * half.max() + 2


def test_what_is_out_of_sight_has_an_empty_window_and_what_is_around_the_camera_all_of_it() -> None:
    half = np.full(3, 0.5)
    [(_, columns)] = CAMERA.windows(boxes(np.array([30.0, 0.0, 0.0]), half), 64)
    assert columns.indices(64)[0] >= columns.indices(64)[1]
    around = boxes(np.asarray(CAMERA.position), half)
    assert CAMERA.windows(around, 64) == [(slice(0, 64), slice(0, 64))]
