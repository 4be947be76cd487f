"""A compiled MuJoCo model and its data: states go in and come out as flat vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.envs.mujoco.library import mujoco

FORGET = 64
"""How many compiled models a world keeps; each is a megabyte or two."""


class Simulation:
    """The physics of one model.

    A state is all that a step reads: time, positions, velocities, activations, controls and what
    the solver starts from. A simulation that a state is given to goes on from there bit for bit,
    whatever it did before. Not to be shared between threads.

    Args:
        xml: the model, in MuJoCo's format MJCF.

    Attributes:
        model: ``mujoco.MjModel``.
        data: ``mujoco.MjData``.
        size: of a state.
    """

    def __init__(self, xml: str) -> None:
        self._library: Any = mujoco()
        kinds = self._library.mjtState
        self._kept = int(kinds.mjSTATE_FULLPHYSICS | kinds.mjSTATE_WARMSTART | kinds.mjSTATE_CTRL)
        self.model: Any = self._library.MjModel.from_xml_string(xml)
        self.data: Any = self._library.MjData(self.model)
        self.size = int(self._library.mj_stateSize(self.model, self._kept))

    def state(self) -> NDArray[np.float64]:
        """(size,) a copy."""
        vector = np.empty(self.size)
        self._library.mj_getState(self.model, self.data, vector, self._kept)
        return vector

    def restore(self, state: NDArray[np.float64]) -> None:
        """Goes back to a state (size,), and places everything as it says."""
        self._library.mj_setState(self.model, self.data, np.ascontiguousarray(state), self._kept)
        self.place()

    def place(self) -> None:
        """Places bodies and geoms where the positions ``data.qpos`` say; no time passes."""
        self._library.mj_kinematics(self.model, self.data)

    def step(self, count: int) -> None:
        """Lets ``count`` time steps pass."""
        self._library.mj_step(self.model, self.data, count)

    def settle(self, still: float, most: int, between: int = 4) -> None:
        """Lets time pass until nothing is faster than ``still``, ``most`` steps at most.

        Args:
            still: the greatest velocity of what stands still, in the model's units a second.
            most: steps.
            between: steps from one look to the next, of which the first comes after as many.
        """
        for _ in range(0, most, between):
            self.step(between)
            if np.abs(self.data.qvel).max(initial=0.0) < still:
                break
        self.place()
