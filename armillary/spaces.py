"""Action spaces as vectors: what agents, files and models know of an environment's actions."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from armillary.errors import ArmillaryError


class OneHot(spaces.Box):
    """Choices among options, as one-hot vectors side by side: (sum of sizes,) float32.

    Args:
        *sizes: how many options each choice has.

    Attributes:
        sizes: the same.
    """

    def __init__(self, *sizes: int) -> None:
        super().__init__(0.0, 1.0, (sum(sizes),), np.float32)
        self.sizes = tuple(int(size) for size in sizes)

    def vector(self, options: NDArray[np.int64]) -> NDArray[np.float32]:
        """Options (G,), each from 0 on -> (A,)."""
        rows = [
            np.eye(size, dtype=np.float32)[one]
            for size, one in zip(self.sizes, options, strict=True)
        ]
        return np.concatenate(rows)

    def options(self, vector: NDArray[Any]) -> NDArray[np.int64]:
        """The options (G,) that (A,) numbers are nearest to; the first of equals."""
        blocks = np.split(np.asarray(vector), np.cumsum(self.sizes)[:-1])
        return np.array([int(block.argmax()) for block in blocks], np.int64)

    def sample(self, mask: Any = None, probability: Any = None) -> NDArray[Any]:
        """Each option equally likely."""
        return self.vector(np.array([self.np_random.integers(size) for size in self.sizes]))

    def contains(self, x: Any) -> bool:
        """Whether it is one option of each choice."""
        return super().contains(x) and np.array_equal(self.vector(self.options(x)), x)

    def __repr__(self) -> str:
        return f"OneHot{self.sizes}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OneHot) and self.sizes == other.sizes


def vectors(space: spaces.Space[Any]) -> spaces.Box:
    """The space of an environment's actions as vectors (A,).

    Args:
        space: a ``Box`` of any shape, which is flattened; or ``Discrete``, ``MultiDiscrete`` or
            ``MultiBinary``, whose options become one-hot vectors.

    Raises:
        ArmillaryError: it is of another kind, or a Box of whole numbers.
    """
    if isinstance(space, spaces.Box) and not np.issubdtype(space.dtype, np.floating):
        raise ArmillaryError(
            f"actions that form a Box must be of floating point, got {space}: a plan's numbers "
            "would be cut off; whole numbers are a MultiDiscrete space"
        )
    if isinstance(space, OneHot) or (isinstance(space, spaces.Box) and len(space.shape) == 1):
        return space
    if isinstance(space, spaces.Box):
        kind: Any = space.dtype
        return spaces.Box(space.low.ravel(), space.high.ravel(), dtype=kind)
    if isinstance(space, spaces.Discrete):
        return OneHot(int(space.n))
    if isinstance(space, spaces.MultiDiscrete):
        return OneHot(*space.nvec.ravel().tolist())
    if isinstance(space, spaces.MultiBinary):
        return OneHot(*[2] * int(np.prod(space.shape)))
    raise ArmillaryError(
        f"actions must form a Box, Discrete, MultiDiscrete or MultiBinary space, got {space}"
    )


def native(space: spaces.Space[Any], vector: NDArray[Any]) -> Any:
    """What an environment takes for an action (A,) of ``vectors(space)``."""
    if isinstance(space, spaces.Box):
        return np.asarray(vector, space.dtype).reshape(space.shape)
    coded = vectors(space)
    assert isinstance(coded, OneHot)
    options = coded.options(vector)
    if isinstance(space, spaces.Discrete):
        return space.start + options[0]
    if isinstance(space, spaces.MultiDiscrete):
        return (options.reshape(space.shape) + space.start).astype(space.dtype)
    return options.reshape(space.shape or (-1,)).astype(np.int8)


def ends(space: spaces.Box) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The least and the greatest action (A,) of a space of vectors.

    Both are within the space: ends of double precision are rounded inwards, where there is room.
    """
    low, high = space.low.astype(np.float32), space.high.astype(np.float32)
    up, down = np.nextafter(low, np.float32(np.inf)), np.nextafter(high, np.float32(-np.inf))
    inner_low = np.where(low.astype(space.low.dtype) < space.low, up, low)
    inner_high = np.where(high.astype(space.high.dtype) > space.high, down, high)
    room = inner_low <= inner_high
    return np.where(room, inner_low, low), np.where(room, inner_high, high)


def uniform(space: spaces.Box, rng: np.random.Generator) -> NDArray[np.float32]:
    """An action (A,) of a bounded space of vectors, all equally likely."""
    if isinstance(space, OneHot):
        return space.vector(np.array([rng.integers(size) for size in space.sizes]))
    return rng.uniform(space.low, space.high).astype(np.float32).clip(*ends(space))


def admitted(space: spaces.Box, vector: NDArray[Any]) -> NDArray[np.float32]:
    """The action of a space of vectors that is nearest to (A,) numbers."""
    if isinstance(space, OneHot):
        return space.vector(space.options(vector))
    return vector.astype(np.float32).clip(*ends(space))
