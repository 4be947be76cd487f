"""Samples TowelPick problems: a start, and a goal that a scripted push or lift really led to."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from armillary.envs.towel_pick.drawing import GRIPPER, render_scene
from armillary.envs.towel_pick.factors import Factors
from armillary.envs.towel_pick.physics import (
    OPENING,
    REACH,
    STEP_LENGTH,
    height_of,
    simulate,
)
from armillary.envs.towel_pick.scene import (
    Scene,
    count_of,
    looks_of,
    make_scene,
    positions_of,
    with_gripper,
)
from armillary.errors import ArmillaryError

KINDS = ("push", "lift")
MOVED = 0.1
"""How far from its place in the goal the object is that a problem moves, at least."""

_SPREAD = 0.17
"""How far from the middle objects lie along each axis, at most."""
_APART = 0.022
"""Between objects, at least."""
_HIGH = 0.13
"""Above which the gripper touches nothing that lies on the floor."""
_LOW = 0.012
_STANDOFF = 0.062
"""From the middle of an object to the gripper that is about to push it."""
_PUSH, _LIFT, _ASIDE = (0.11, 0.18), (0.12, 0.17), 0.06
"""How far a push goes, how high a lift does, and how far aside along each axis."""
_UNTOUCHED, _STILL = 0.01, 1e-3
_SEEN = 14
"""Pixels of every object in an image of 64 x 64 with a ray each, at least."""
_ATTEMPTS, _DRAWS = 500, 20


def sample_problem(
    rng: np.random.Generator, factors: Factors, room: int, kind: str
) -> tuple[Scene, Scene]:
    """Draws a start and a goal, both scene vectors with room for ``room`` objects.

    At the start the gripper is up, with its fingers closed for a ``push``, and open for a ``lift``.
    In the goal one object lies or is held elsewhere, all others are where they were, and the
    gripper is up again after a push. Every object is seen in both.

    Raises:
        ArmillaryError: the objects are too large, or hidden from the camera.
    """
    for _ in range(_ATTEMPTS):
        start = _lying(rng, factors, room, 0.0 if kind == "push" else OPENING)
        if start is None:
            continue
        for index in rng.permutation(count_of(start)).tolist():
            goal = (_pushed if kind == "push" else _lifted)(rng, start, index)
            if goal is not None and _suits(start, goal, index):
                return start, goal
    raise ArmillaryError(
        f"no problem was found for objects of the sizes {factors.sizes} that the camera sees"
    )


def _suits(start: Scene, goal: Scene, index: int) -> bool:
    """Whether one object has to be moved, no other was, and all are seen."""
    moved = np.linalg.norm(positions_of(goal) - positions_of(start), axis=1)
    alone = np.delete(moved, index).max(initial=0.0) < _UNTOUCHED
    return bool(moved[index] > MOVED) and alone and not hidden(start) and not hidden(goal)


def hidden(scene: Scene) -> list[int]:
    """The objects of which hardly anything is seen."""
    labels = render_scene(scene, 64, 1)[1]
    pixels = np.bincount(labels.ravel(), minlength=GRIPPER + 1 + count_of(scene))
    return np.flatnonzero(pixels[GRIPPER + 1 :] < _SEEN).tolist()


def _lying(rng: np.random.Generator, factors: Factors, room: int, opening: float) -> Scene | None:
    """Objects that lie apart under the gripper; None where they do not fit."""
    looks = factors.looks
    places = np.empty((0, 2))
    for size in looks[:, 1]:
        drawn = rng.uniform(-_SPREAD, _SPREAD, (_DRAWS, 1, 2))
        least = 1.2 * (size + looks[: len(places), 1]) + _APART
        free = (np.linalg.norm(drawn - places, axis=-1) > least).all(1)
        if not free.any():
            return None
        places = np.concatenate([places, drawn[free.argmax()]])
    poses = np.zeros((len(looks), 7))
    poses[:, :2] = places
    poses[:, 2] = [height_of(*pair) for pair in zip(factors.shapes, factors.sizes, strict=True)]
    turned = rng.uniform(0.0, math.pi, len(looks))
    poses[:, 3], poses[:, 6] = np.cos(turned / 2), np.sin(turned / 2)
    scene = make_scene(room, factors.camera, looks, poses, _up(rng, opening))
    return simulate(scene, np.zeros((1, 4)))[0]


def _up(rng: np.random.Generator, opening: float) -> NDArray[np.float64]:
    """(5,) a place of the gripper above everything."""
    low, high = REACH
    return np.append(rng.uniform([*low[:2], _HIGH], high), [opening, opening])


def _pushed(rng: np.random.Generator, start: Scene, index: int) -> Scene | None:
    """The scene after a straight push of an object; None where there is no way."""
    middle = positions_of(start)[index]
    angle, length = rng.uniform(-math.pi, math.pi), rng.uniform(*_PUSH)
    ahead = np.array([math.cos(angle), math.sin(angle)])
    behind = middle[:2] - _STANDOFF * ahead
    end = middle[:2] + length * ahead
    if not _reached(behind, end) or _blocked(start, index, np.linspace(behind, end, 6)):
        return None
    travel = length + _STANDOFF - looks_of(start)[index, 1]
    steps = math.ceil(travel / STEP_LENGTH)
    actions = np.zeros((steps, 4))
    actions[:, :2] = travel / steps / STEP_LENGTH * ahead
    there = with_gripper(start, np.array([*behind, _LOW, 0.0, 0.0]))
    return _rested(with_gripper(simulate(there, actions)[-1], _up(rng, 0.0)))


def _lifted(rng: np.random.Generator, start: Scene, index: int) -> Scene | None:
    """The scene with an object held up; None where the fingers do not get round it."""
    x, y, _ = positions_of(start)[index].tolist()
    shift = np.append(rng.uniform(-_ASIDE, _ASIDE, 2), rng.uniform(*_LIFT))
    here = np.array([x, y])
    fingers = here + np.array([[-OPENING, 0.0], [OPENING, 0.0]])
    if not _reached(here, here + shift[:2]) or _blocked(start, index, fingers):
        return None
    steps = math.ceil(float(np.abs(shift).max()) / STEP_LENGTH)
    actions = np.zeros((steps + 3, 4))
    actions[:3, 3] = 1.0
    actions[3:, :3] = shift / steps / STEP_LENGTH
    there = with_gripper(start, np.array([x, y, _LOW, OPENING, OPENING]))
    goal = _rested(simulate(there, actions)[-1])
    if goal is None or positions_of(goal)[index, 2] < _LIFT[0]:
        return None
    return goal


def _rested(scene: Scene) -> Scene | None:
    """The scene a little later; None where something moves even then."""
    before, after = simulate(scene, np.zeros((3, 4)))[1:]
    moved = np.abs(positions_of(after) - positions_of(before)).max()
    return after if moved < _STILL else None


def _reached(*places: NDArray[np.float64]) -> bool:
    return bool((np.abs(places) < REACH[1][:2]).all())


def _blocked(scene: Scene, index: int, places: NDArray[np.float64]) -> bool:
    """Whether an object but the one to be moved is near one of places (N, 2)."""
    away = np.linalg.norm(positions_of(scene)[:, None, :2] - places, axis=-1)
    sizes = looks_of(scene)[:, 1]
    near = away < 1.2 * (sizes + sizes[index])[:, None]
    return bool(np.delete(near, index, 0).any())
