"""A gripper over a bin of objects, as a pure function of a scene vector.

Lengths are in metres: x points right, y away from the camera, z up; the bin's floor is at 0 and is
half a metre wide.
"""

from __future__ import annotations

import threading
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from armillary.envs.mujoco.simulation import FORGET, Simulation
from armillary.envs.towel_pick.scene import (
    SHAPES,
    Scene,
    driven_of,
    gripper_of,
    looks_of,
    state_of,
)

BIN = 0.25
"""From the middle of the floor to each of the four walls, in metres."""
REACH = ((-0.18, -0.22, 0.004), (0.18, 0.22, 0.20))
"""Where the point between the fingertips may be: least and greatest x, y and z."""
OPENING = 0.05
"""How far each finger is from the middle when the gripper is open."""
STEP_LENGTH = 0.05
"""How far an action of 1 moves the gripper, in metres."""
STEP_GRIP = 0.025
"""How far an action of 1 moves each finger inwards."""
SUBSTEPS = 20
SIZE = 0.036
"""Of objects by default: about half of what they are wide."""

_RAMP = (0.44, 0.69, 0.94, 1.0)
"""What share of the way the gripper is driven to, ahead of it by what it lags behind: it moves
evenly, so that what it pushes does not fly."""
_SQUEEZE = 0.015
"""How far inside of what they hold fingers are driven at most."""
_FORMS = {
    "box": (0.9, 0.9, 0.9),
    "cylinder": (0.95, 0.9),
    "capsule": (0.78, 0.55),
    "ellipsoid": (1.2, 0.95, 0.85),
}
"""MuJoCo's sizes of the shapes, for a size of 1."""
_LYING = {"capsule": 'euler="90 0 0"'}
_STATIC = """
    <geom type="plane" size="2 2 1" rgba=".80 .68 .50 1"/>
    <geom type="plane" pos="-{bin} 0 0" zaxis="1 0 0" size="1 1 1" rgba="0 0 0 0"/>
    <geom type="plane" pos="{bin} 0 0" zaxis="-1 0 0" size="1 1 1" rgba="0 0 0 0"/>
    <geom type="plane" pos="0 -{bin} 0" zaxis="0 1 0" size="1 1 1" rgba="0 0 0 0"/>
    <geom type="plane" pos="0 {bin} 0" zaxis="0 -1 0" size="1 1 1" rgba="0 0 0 0"/>
    <geom class="seen" type="box" pos="-.29 0 .06" size=".04 .30 .06" rgba=".62 .57 .47 1"/>
    <geom class="seen" type="box" pos=".29 0 .06" size=".04 .30 .06" rgba=".62 .57 .47 1"/>
    <geom class="seen" type="box" pos="0 -.28 .02" size=".25 .03 .02" rgba=".88 .82 .70 1"/>
    <geom class="seen" type="box" pos="0 .28 .07" size=".25 .03 .07" rgba=".74 .66 .52 1"/>
    <geom class="seen" type="box" pos="0 1.2 0" size="2 .7 .05" rgba=".66 .70 .70 1"/>"""
_GRIPPER = """
    <body gravcomp="1">
      <joint name="x" axis="1 0 0"/><joint name="y" axis="0 1 0"/><joint name="z" axis="0 0 1"/>
      <geom class="hand" size=".062 .028 .022" pos="0 0 .112" mass=".5" rgba=".44 .40 .34 1"/>
      <body gravcomp="1">
        <geom class="arm" size=".04 .02" pos="0 0 .155" rgba=".13 .12 .12 1"/>
        <geom class="arm" size=".041 .014" pos="0 0 .189" rgba=".62 .13 .11 1"/>
        <geom class="arm" size=".046 .15" pos="0 0 .353" rgba=".13 .12 .12 1"/></body>
      <body gravcomp="1">
        <joint name="left" armature=".5" axis="-1 0 0"/>
        <geom class="finger" pos="-.011 0 .046"/><geom class="pad" pos="-.006 0 .044"/></body>
      <body gravcomp="1">
        <joint name="right" armature=".5" axis="1 0 0"/>
        <geom class="finger" pos=".011 0 .046"/><geom class="pad" pos=".006 0 .044"/></body>
    </body>"""
_OBJECT = """
    <body><joint type="free" damping=".004"/>
      <geom class="thing" type="{shape}" size="{size}" {lying}/></body>"""
_MODEL = """
<mujoco>
  <option timestep=".005" integrator="Euler" cone="elliptic" impratio="5" iterations="20"/>
  <size memory="4M"/>
  <default>
    <geom condim="4" friction="1 .01 .001"/>
    <joint type="slide"/>
    <default class="seen"><geom contype="0" conaffinity="0"/></default>
    <default class="arm"><geom type="cylinder" contype="0" conaffinity="0" mass=".1"/></default>
    <default class="hand">
      <geom type="box" contype="0" conaffinity="2" priority="1" friction=".05 .01 .001"/>
      <default class="finger"><geom size=".009 .014 .046" mass=".05" rgba=".16 .15 .15 1"/>
        <default class="pad"><geom size=".006 .009 .042" friction="1.5 .02 .001"/></default>
      </default>
    </default>
    <default class="thing"><geom contype="3" density="300"/></default>
  </default>
  <worldbody>{static}{gripper}{objects}
  </worldbody>
  <actuator>
    <position joint="x" kp="12000" kv="230" forcerange="-80 80"/>
    <position joint="y" kp="12000" kv="230" forcerange="-80 80"/>
    <position joint="z" kp="12000" kv="230" forcerange="-80 80"/>
    <position joint="left" kp="550" kv="25" forcerange="-10 10"/>
    <position joint="right" kp="550" kv="25" forcerange="-10 10"/>
  </actuator>
</mujoco>"""


def simulation_of(scene: Scene) -> Simulation:
    """The simulation of a scene's objects, in the scene's state; the next call may change it."""
    forms = tuple(map(tuple, looks_of(scene)[:, :2].tolist()))
    simulation = _compiled(threading.get_ident(), forms)
    simulation.restore(state_of(scene))
    return simulation


@lru_cache(maxsize=FORGET)
def _compiled(thread: int, forms: tuple[tuple[float, float], ...]) -> Simulation:
    """One for each thread."""
    objects = [
        _OBJECT.format(
            shape=SHAPES[int(shape)],
            size=" ".join(str(size * part) for part in _FORMS[SHAPES[int(shape)]]),
            lying=_LYING.get(SHAPES[int(shape)], ""),
        )
        for shape, size in forms
    ]
    static = _STATIC.format(bin=BIN)
    return Simulation(_MODEL.format(static=static, gripper=_GRIPPER, objects="".join(objects)))


def height_of(shape: str, size: float) -> float:
    """How far above the floor the middle of an object at rest is, in metres."""
    return size * _FORMS[shape][0 if shape == "capsule" else -1]


def step(scene: Scene, action: NDArray[np.floating]) -> Scene:
    """Drives the gripper for a tenth of a second; what it does not touch comes to rest.

    A pure function, bit for bit.

    Args:
        scene: a scene vector, see ``scene``.
        action: (4,): displacement along x, y and z in units of 5 cm, and how far the fingers close,
            in units of 2.5 cm each.

    Returns:
        The next scene; the argument is left as it was.
    """
    return simulate(scene, np.asarray(action)[None])[0]


def simulate(scene: Scene, actions: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n,) scene and (T, 4) actions -> the T next scenes (T, n)."""
    simulation = simulation_of(scene)
    scenes = np.tile(scene, (len(actions), 1))
    for action, after in zip(actions, scenes, strict=True):
        start, end = driven_of(scene), np.array(_driven(scene, action))
        for share in _RAMP:
            simulation.data.ctrl[:] = start + share * (end - start)
            simulation.step(SUBSTEPS // len(_RAMP))
        state_of(after)[:] = simulation.state()
        scene = after
    return scenes


def _driven(scene: Scene, action: NDArray[np.floating]) -> list[float]:
    """(5,) where an action drives the gripper to: never far from where it is held up."""
    *move, grip = action.tolist()
    here, driven = gripper_of(scene).tolist(), driven_of(scene).tolist()
    places = [
        min(max(min(max(to, at - STEP_LENGTH), at + STEP_LENGTH) + STEP_LENGTH * by, low), high)
        for at, to, by, low, high in zip(here, driven, move, *REACH, strict=False)
    ]
    fingers = [
        min(max(to - STEP_GRIP * grip, at - _SQUEEZE, 0.0), OPENING)
        for at, to in zip(here[3:], driven[3:], strict=True)
    ]
    return places + fingers
