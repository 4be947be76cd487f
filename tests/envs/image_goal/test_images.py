"""What is read off somebody else's environment: which entries, which part, in which size."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from armillary.envs.image_goal.images import View
from armillary.errors import ArmillaryError

IMAGE = spaces.Box(0, 255, (16, 32, 3), np.uint8)
VECTOR = spaces.Box(-1.0, 1.0, (3,))


class Shows(gym.Env):
    """Renders grey and observes what it is told to."""

    def __init__(self, **entries: spaces.Space[Any]) -> None:
        alone = entries.get("alone")
        self.observation_space = alone if alone is not None else spaces.Dict(entries)

    def render(self) -> Any:
        return np.full((16, 16, 3), 99, np.uint8)


def columns(image: Any, **settings: Any) -> list[int]:
    """What a view of 8 px shows of an image, by its columns' red."""
    seen = View(Shows(alone=IMAGE), 8, **settings).see(image).image
    assert seen.shape == (8, 8, 3)
    assert seen.dtype == np.uint8
    return seen[0, :, 0].tolist()


def ramp(channels: int = 3) -> np.ndarray:
    """(16, 32, channels), 8 times the column's number."""
    return np.broadcast_to(8 * np.arange(32, dtype=np.uint8)[None, :, None], (16, 32, channels))


def test_the_largest_square_in_the_middle_is_shown() -> None:
    expected = [8 * (8 + 2 * i) + 4 for i in range(8)]
    assert columns(ramp()) == expected
    high = View(Shows(alone=IMAGE), 8).see(ramp().swapaxes(0, 1)).image
    assert high[:, 0, 0].tolist() == expected


def test_a_crop_is_a_part_of_width_and_height() -> None:
    assert columns(ramp(), crop=[0, 0, 1, 1]) == [8 * 4 * i + 12 for i in range(8)]
    assert columns(ramp(), crop=[0.5, 0.25, 1, 0.5]) == [8 * (16 + 2 * i) + 4 for i in range(8)]
    down = View(Shows(alone=IMAGE), 8, [0.5, 0.5, 1.0, 1.0]).see(ramp().swapaxes(0, 1)).image
    assert down[:, 0, 0].tolist() == [8 * (16 + 2 * i) + 4 for i in range(8)]


def test_grey_and_transparent_images_are_images() -> None:
    assert columns(ramp(1)) == columns(ramp(4)) == columns(ramp())
    grey = View(Shows(alone=IMAGE), 8).see(ramp(1)).image
    assert np.array_equal(grey[..., 0], grey[..., 2])
    for wrong in (ramp(2), ramp().astype(float), ramp()[..., 0]):
        with pytest.raises(ArmillaryError, match="an image must be"):
            columns(wrong)


@pytest.mark.parametrize("name", ["image", "pixels", "rgb"])
@pytest.mark.parametrize("state", ["observation", "state", "agent_pos"])
def test_entries_are_found_by_their_names(name: str, state: str) -> None:
    view = View(Shows(**{name: IMAGE, state: VECTOR, "other": IMAGE, "else": VECTOR}), 8)
    shown = {name: ramp(), state: [1, 2, 3], "other": 0 * ramp(), "else": [0, 0, 0]}
    seen = view.see(shown)
    assert seen.image[0, 0, 0] == 68
    assert seen.state is not None
    assert seen.state.tolist() == [1, 2, 3]
    assert seen.state.dtype == np.float64
    assert view.state_size == 3
    named = View(Shows(**{name: IMAGE, "other": IMAGE, "else": VECTOR}), 8, None, "other", "else")
    assert not named.see(shown).image.any()
    assert named.see(shown).state is not None


def test_what_is_not_observed_is_rendered_and_a_state_need_not_be() -> None:
    view = View(Shows(image=spaces.Box(0.0, 1.0, (16, 16, 3))), 8)
    seen = view.see({"image": np.zeros((16, 16, 3))})
    assert (seen.image == 99).all()
    assert seen.state is None
    assert view.state_size is None
    vector = View(Shows(alone=VECTOR), 8)
    assert vector.see([1, 2, 3]).state.tolist() == [1, 2, 3]  # type: ignore[union-attr]
    flat = View(Shows(alone=spaces.Dict(grid=spaces.Box(0, 1, (2, 3)))), 8, state_key="grid")
    assert flat.state_size == 6
    assert flat.see({"grid": np.ones((2, 3))}).state.shape == (6,)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "crop", [[0, 0, 1], [0.5, 0, 0.5, 1], [0, 0.6, 1, 0.5], [-0.1, 0, 1, 1], [0, 0, 1, 1.1]]
)
def test_a_crop_without_a_part_is_refused(crop: list[float]) -> None:
    with pytest.raises(ArmillaryError, match="crop must be"):
        View(Shows(alone=IMAGE), 8, crop)


def test_sizes_and_names_that_are_not_there_are_refused() -> None:
    View(Shows(alone=IMAGE), 8)
    with pytest.raises(ArmillaryError, match="at least 8, got 7"):
        View(Shows(alone=IMAGE), 7)
    with pytest.raises(ArmillaryError, match=r"no 'depth', only \['image'\]"):
        View(Shows(image=IMAGE), 8, state_key="depth")
