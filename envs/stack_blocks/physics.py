"""Blocks that are picked up and put down, as a pure function of a scene vector."""

from __future__ import annotations

import threading
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from armillary.envs.mujoco.simulation import FORGET, Simulation
from armillary.envs.stack_blocks.scene import (
    Scene,
    count_of,
    looks_of,
    poses_of,
    positions_of,
    state_of,
)

ARENA = ((-2.5, 2.5), (1.0, 4.0))
"""x and y of where blocks can be put, in the scene's units (OP3's)."""
EDGE = 0.0
"""The least y of an action: in front of the arena, where nothing lies and nothing can be put."""
HEIGHTS = (0.0, 2.6)
"""z of actions that name heights."""
REACH = 0.2
"""How far from a block's middle a pick may be, along each axis."""
HALF_SIDE = 0.4

_GAP = 0.02
_STILL, _MOST_STEPS = 0.02, 200
_MODEL = """
<mujoco>
  <option timestep="0.01" integrator="implicitfast" cone="elliptic"/>
  <size memory="4M"/>
  <worldbody>
    <geom type="plane" size="40 40 1" rgba=".62 .62 .63 1"/>
    {blocks}
  </worldbody>
</mujoco>"""
_BLOCK = """
    <body pos="{at} 0 {half}"><freejoint/>
      <geom type="box" size="{half} {half} {half}" density="500"/></body>"""


def simulation_of(scene: Scene) -> Simulation:
    """The simulation of a scene's blocks, in the scene's state; the next call may change it."""
    halves = tuple(looks_of(scene)[:, 0].tolist())
    simulation = _compiled(threading.get_ident(), halves)
    simulation.restore(state_of(scene))
    return simulation


@lru_cache(maxsize=FORGET)
def _compiled(thread: int, halves: tuple[float, ...]) -> Simulation:
    """One for each thread."""
    blocks = [_BLOCK.format(at=2 * at, half=half) for at, half in enumerate(halves)]
    return Simulation(_MODEL.format(blocks="".join(blocks)))


def step(scene: Scene, action: NDArray[np.floating]) -> Scene:
    """Picks a block up and puts it down upright on what lies there, then waits until all is still.

    A pick without heights takes the highest block within ``REACH`` of (x, y), one with heights the
    nearest within it along all three axes; where there is none, nothing is done. A block is let go
    just above what lies there, or from the height named where that is higher. All waits end after
    two seconds.

    Args:
        scene: a scene vector, see ``scene``.
        action: (4,) x and y of pick and place, or (6,) x, y and z of both; a place outside of the
            arena is brought to its edge.

    Returns:
        The next scene; the argument is left as it was.
    """
    pick, place = np.split(np.asarray(action, np.float64), 2)
    block = picked(scene, pick)
    if block is not None:
        scene = put_down(scene, block, place)
    elif np.abs(_velocities(scene)[0]).max() < _STILL:
        return scene.copy()
    return settled(scene)


def simulate(scene: Scene, actions: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n,) scene and (T, A) actions -> the T next scenes (T, n)."""
    scenes = np.empty((len(actions), len(scene)))
    for t, action in enumerate(actions):
        scene = scenes[t] = step(scene, action)
    return scenes


def picked(scene: Scene, pick: NDArray[np.float64]) -> int | None:
    """The number of the block that a pick (2,) or (3,) takes."""
    positions = positions_of(scene)
    apart = np.abs(positions[:, : len(pick)] - pick)
    near = np.flatnonzero((apart < REACH).all(1))
    if not len(near):
        return None
    wanted = -positions[near, 2] if len(pick) == 2 else apart[near].max(1)
    return int(near[wanted.argmin()])


def put_down(scene: Scene, block: int, place: NDArray[np.float64]) -> Scene:
    """The scene with a block held upright and at rest above a place (2,) or (3,)."""
    (left, right), (near, far) = ARENA
    x, y = np.clip(place[0], left, right), np.clip(place[1], near, far)
    z = top_at(scene, x, y, block) + looks_of(scene)[block, 0] + _GAP
    if len(place) == 3:
        z = max(z, place[2])
    scene = scene.copy()
    poses_of(scene)[block] = (x, y, z, 1.0, 0.0, 0.0, 0.0)
    _velocities(scene)[:, block] = 0.0
    return scene


def top_at(scene: Scene, x: float, y: float, block: int) -> float:
    """How high lies what a block at (x, y) would rest on; 0 for the table."""
    looks, poses = looks_of(scene), poses_of(scene)
    extents = looks[:, :1] * np.abs(_rotations(poses[:, 3:])).sum(-1)
    apart = np.abs(poses[:, :2] - (x, y))
    under = (apart < extents[:, :2] + looks[block, 0]).all(1)
    under[block] = False
    return float((poses[:, 2] + extents[:, 2])[under].max(initial=0.0))


def settled(scene: Scene) -> Scene:
    """The scene once nothing moves any more, or after two seconds."""
    simulation = simulation_of(scene)
    simulation.settle(_STILL, _MOST_STEPS)
    scene = scene.copy()
    state_of(scene)[:] = simulation.state()
    return scene


def _velocities(scene: Scene) -> NDArray[np.float64]:
    """(2, c, 6) view: the blocks' velocities, and the accelerations that the solver starts from."""
    count = count_of(scene)
    return state_of(scene)[1 + 7 * count :].reshape(2, count, 6)


def _rotations(quaternions: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 4) of any length but 0 -> (N, 3, 3)."""
    w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)
