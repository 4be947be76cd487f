"""The policies that collect TowelPick data: pushes, picks, nudges, and smooth random motion."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from armillary.envs.towel_pick.physics import REACH, STEP_LENGTH
from armillary.envs.towel_pick.scene import Scene, gripper_of, positions_of
from armillary.errors import ArmillaryError

_OPEN, _CLOSE = -1.0, 1.0
_ABOVE, _LOW = 0.14, 0.012
_STANDOFF = 0.07
_NEAR = 0.015
_TALL = 0.1
"""Above which fingers pass over what lies on the floor."""


class TowelPolicy:
    """Pushes a random object a random way, picks it up and drops it elsewhere, nudges it, or roams.

    Args:
        push: probability that the next thing that is done is a push.
        pick: that it is a pick.
        noise: standard deviation of Gaussian noise on every action.
        persistence: of random motion, the share of an action that the next one keeps.
        nudge: that the next thing is random motion about an object, at any height at which it may
            be touched, or be missed by a little. What is left is smooth random motion for some
            steps.
    """

    def __init__(
        self,
        push: float = 0.5,
        pick: float = 0.3,
        noise: float = 0.1,
        persistence: float = 0.7,
        nudge: float = 0.0,
    ) -> None:
        if min(push, pick, nudge) < 0.0 or push + pick + nudge > 1.0:
            raise ArmillaryError(
                "push, pick and nudge must be probabilities of at most 1 together, got "
                f"{push}, {pick} and {nudge}"
            )
        self.push = push
        self.pick = pick
        self.nudge = nudge
        self.noise = noise
        self.persistence = persistence
        self._rng = np.random.default_rng(0)
        self._scene: Scene = np.zeros(0)
        self._doing: Iterator[NDArray[np.float64]] = iter(())

    def reset(self, rng: np.random.Generator) -> None:
        """Starts an episode; every later draw comes from ``rng``."""
        self._rng = rng
        self._doing = iter(())

    def act(self, scene: Scene) -> NDArray[np.float32]:
        """(n,) a snapshot -> (4,): the next step of what is being done, or of something new."""
        self._scene = scene
        action = next(self._doing, None)
        while action is None:
            self._doing = self._chosen()
            action = next(self._doing, None)
        action = action + self._rng.normal(0.0, self.noise, 4)
        return np.clip(action, -1.0, 1.0).astype(np.float32)

    def _chosen(self) -> Iterator[NDArray[np.float64]]:
        kind = self._rng.random()
        if kind < self.push:
            return self._pushing()
        if kind < self.push + self.pick:
            return self._picking()
        return self._nudging() if kind < self.push + self.pick + self.nudge else self._roaming()

    def _pushing(self) -> Iterator[NDArray[np.float64]]:
        _, start = self._object()
        towards = -start[:2] + self._rng.normal(0.0, 0.1, 2)  # about the middle of the bin
        angle = math.atan2(towards[1], towards[0]) + self._rng.normal(0.0, 0.8)
        ahead = np.array([math.cos(angle), math.sin(angle)])
        behind = start[:2] - _STANDOFF * ahead
        yield from self._to([*behind, _ABOVE], _CLOSE)
        yield from self._to([*behind, _LOW], _CLOSE)
        end = start[:2] + self._rng.uniform(0.05, 0.18) * ahead
        yield from self._to([*end, _LOW], _CLOSE)
        yield from self._to([*end, _ABOVE], 0.0)

    def _picking(self) -> Iterator[NDArray[np.float64]]:
        index, start = self._object()
        yield from self._to([*start[:2], _ABOVE], _OPEN)
        yield from self._to([*positions_of(self._scene)[index, :2], _LOW], _OPEN)
        for _ in range(2):
            yield np.array([0.0, 0.0, 0.0, _CLOSE])
        up = start[:2] + self._rng.uniform(-0.05, 0.05, 2)
        yield from self._to([*up, self._rng.uniform(0.1, 0.2)], 0.5)
        over = self._rng.uniform(-0.15, 0.15, 2)
        yield from self._to([*over, self._rng.uniform(0.05, 0.2)], 0.5)
        for _ in range(2):
            yield np.array([0.0, 0.0, 0.0, _OPEN])

    def _nudging(self) -> Iterator[NDArray[np.float64]]:
        index, start = self._object()
        aside = start[:2] + self._rng.normal(0.0, _STANDOFF, 2)
        yield from self._to([*aside, self._rng.uniform(REACH[0][2], _ABOVE)], _CLOSE)
        height, grip = self._rng.uniform(REACH[0][2], _TALL), self._rng.uniform(-_CLOSE, _CLOSE)
        for _ in range(int(self._rng.integers(4, 12))):
            place = np.array([*positions_of(self._scene)[index, :2], height])
            away = (place - gripper_of(self._scene)[:3]) / STEP_LENGTH
            drawn = self._rng.normal(0.0, 0.6, 3) + 0.4 * np.clip(away, -1.0, 1.0)
            yield np.append(drawn, grip)

    def _roaming(self) -> Iterator[NDArray[np.float64]]:
        action = self._rng.normal(0.0, 0.7, 4)
        for _ in range(int(self._rng.integers(4, 12))):
            yield action
            drawn = self._rng.normal(0.0, 0.7, 4)
            action = self.persistence * action + math.sqrt(1.0 - self.persistence**2) * drawn

    def _object(self) -> tuple[int, NDArray[np.float64]]:
        """A random object, and where it is."""
        positions = positions_of(self._scene)
        index = int(self._rng.integers(len(positions)))
        return index, positions[index].copy()

    def _to(self, place: list[float], grip: float) -> Iterator[NDArray[np.float64]]:
        """To within 15 mm of a place, straight on, for twelve steps at most."""
        target = np.clip(place, *REACH)
        for _ in range(12):
            away = target - gripper_of(self._scene)[:3]
            if np.abs(away).max() < _NEAR:
                return
            move = away / STEP_LENGTH
            yield np.append(move / max(1.0, float(np.abs(move).max())), grip)
