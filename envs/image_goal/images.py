"""What an environment of somebody else's shows: its image, cut and resized, and its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from PIL import Image

from armillary.errors import ArmillaryError

_IMAGES = ("image", "pixels", "rgb")
_STATES = ("observation", "state", "agent_pos")


@dataclass(frozen=True)
class Seen:
    """A moment of an environment.

    Attributes:
        image: (S, S, 3) uint8.
        state: (P,) float64; None where the environment tells none.
    """

    image: NDArray[np.uint8]
    state: NDArray[np.float64] | None


class View:
    """Reads moments off an environment.

    Args:
        env: that is looked at.
        image_size: S, H = W of what is read, in pixels.
        crop: (x0, y0, x1, y1) in [0, 1] of the image, x right, y down; None for the largest square
            in the middle.
        image_key: the observation's entry that holds the image; None takes an observation that is
            an image or has one (``image``, ``pixels`` or ``rgb``), else what ``render`` gives.
        state_key: the observation's entry that holds the state; None takes an observation that is
            a vector or has one (``observation``, ``state`` or ``agent_pos``), where there is one.

    Raises:
        ArmillaryError: a setting is out of range, or the observation has no such entry.
    """

    def __init__(
        self,
        env: gym.Env,
        image_size: int,
        crop: Sequence[float] | None = None,
        image_key: str | None = None,
        state_key: str | None = None,
    ) -> None:
        if image_size < 8:
            raise ArmillaryError(f"image_size must be at least 8, got {image_size}")
        if crop is not None and not (
            len(crop) == 4 and 0 <= crop[0] < crop[2] <= 1 and 0 <= crop[1] < crop[3] <= 1
        ):
            raise ArmillaryError(
                f"crop must be [x0, y0, x1, y1] with 0 <= x0 < x1 <= 1, y likewise, got {crop}"
            )
        self._env = env
        self._size = image_size
        self._crop = crop
        space = env.observation_space
        entries = dict(space.spaces) if isinstance(space, spaces.Dict) else {"": space}
        for key in (image_key, state_key):
            if key is not None and key not in entries:
                raise ArmillaryError(f"the observation has no {key!r}, only {sorted(entries)}")
        images = [key for key in ("", *_IMAGES) if key in entries and _is_image(entries[key])]
        states = [key for key in ("", *_STATES) if key in entries and _is_vector(entries[key])]
        self._image_key = image_key or next(iter(images), None)
        self._state_key = state_key or next(iter(states), None)
        shape = None if self._state_key is None else entries[self._state_key].shape
        self.state_size = None if shape is None else int(np.prod(shape))

    def see(self, observation: Any) -> Seen:
        """What the environment shows after a reset or a step that gave an observation.

        Raises:
            ArmillaryError: there is no image.
        """
        found = {"": observation, **(observation if isinstance(observation, Mapping) else {})}
        image = self._env.render() if self._image_key is None else found[self._image_key]
        state = None if self._state_key is None else found[self._state_key]
        flat = None if state is None else np.asarray(state, np.float64).ravel()
        return Seen(self._fitted(image), flat)

    def _fitted(self, image: Any) -> NDArray[np.uint8]:
        array: NDArray[Any] = np.asarray(image) if image is not None else np.empty(0)
        if array.ndim != 3 or array.shape[-1] not in (1, 3, 4) or array.dtype != np.uint8:
            raise ArmillaryError(
                "an image must be (H, W, 3) uint8, which environments give with "
                f'render_mode="rgb_array"; got {array.shape} {array.dtype}'
            )
        array = np.repeat(array, 3, 2) if array.shape[-1] == 1 else array[..., :3]
        height, width = array.shape[:2]
        if self._crop is None:
            side = min(height, width)
            x, y = (width - side) / 2, (height - side) / 2
            box = (x, y, x + side, y + side)
        else:
            x0, y0, x1, y1 = self._crop
            box = (x0 * width, y0 * height, x1 * width, y1 * height)
        size = (self._size, self._size)
        return np.array(Image.fromarray(array).resize(size, Image.Resampling.BOX, box))


def _is_image(space: spaces.Space[Any]) -> bool:
    return isinstance(space, spaces.Box) and len(space.shape) == 3 and space.dtype == np.uint8


def _is_vector(space: spaces.Space[Any]) -> bool:
    return isinstance(space, spaces.Box) and len(space.shape) == 1
