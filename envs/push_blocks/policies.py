"""Policies that collect PushBlocks data: smooth random motion and scripted pushes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from armillary.envs.options import probability
from armillary.envs.push_blocks.physics import (
    PUSHER_RADIUS,
    STEP_LENGTH,
    Scene,
    blocks_of,
)
from armillary.envs.shapes import SHAPES, circumradius
from armillary.envs.task import Policy

Action = NDArray[np.float32]


class RandomPolicy:
    """Smooth random motion: an action that forgets its past by ``1 - persistence`` a step."""

    def __init__(self, persistence: float = 0.7, scale: float = 0.7) -> None:
        self.persistence = persistence
        self.scale = scale
        self._rng = np.random.default_rng(0)
        self._action = np.zeros(2)

    def reset(self, rng: np.random.Generator) -> None:
        """Starts from a fresh action."""
        self._rng = rng
        self._action = rng.normal(0.0, self.scale, 2)

    def act(self, scene: Scene) -> Action:
        """The next action of an autoregressive process, clipped to [-1, 1]."""
        innovation = math.sqrt(1.0 - self.persistence**2) * self.scale
        self._action = self.persistence * self._action + self._rng.normal(0.0, innovation, 2)
        return np.clip(self._action, -1.0, 1.0).astype(np.float32)


class PushPolicy:
    """Walks behind a random block, pushes it a random way, then picks another.

    Args:
        noise: standard deviation of Gaussian noise on every action.
    """

    def __init__(self, noise: float = 0.25) -> None:
        self.noise = noise
        self._rng = np.random.default_rng(0)
        self._target = 0
        self._direction = np.zeros(2)
        self._steps_left = 0

    def reset(self, rng: np.random.Generator) -> None:
        """Forgets the block that was being pushed."""
        self._rng = rng
        self._steps_left = 0

    def act(self, scene: Scene) -> Action:
        """One step towards the side to push from, or of the push itself."""
        blocks = blocks_of(scene)
        if self._steps_left == 0:
            self._choose(blocks)
        self._steps_left -= 1
        pusher, block = scene[1:3], blocks[self._target]
        standoff = circumradius(SHAPES[int(block[3])], block[4]) + PUSHER_RADIUS
        behind = block[:2] - (standoff + 0.02) * self._direction
        offset = pusher - block[:2]
        along = float(offset @ self._direction)
        aside = float(offset @ np.array([-self._direction[1], self._direction[0]]))
        if along < 0.0 and abs(aside) < 0.04:
            move = 0.1 * self._direction
        elif along > -0.3 * standoff and math.hypot(along, aside) < 1.6 * standoff:
            side = math.copysign(1.0, aside)
            lateral = np.array([-self._direction[1], self._direction[0]]) * side
            move = block[:2] + 1.4 * standoff * lateral - 0.5 * standoff * self._direction - pusher
        else:
            move = behind - pusher
        action = move / STEP_LENGTH
        action = action / max(1.0, float(np.abs(action).max()))
        action = action + self._rng.normal(0.0, self.noise, 2)
        return np.clip(action, -1.0, 1.0).astype(np.float32)

    def _choose(self, blocks: NDArray[np.float64]) -> None:
        self._target = int(self._rng.integers(len(blocks)))
        towards_middle = np.array([0.5, 0.5]) - blocks[self._target, :2]
        angle = math.atan2(towards_middle[1], towards_middle[0]) + self._rng.normal(0.0, 1.2)
        self._direction = np.array([math.cos(angle), math.sin(angle)])
        self._steps_left = int(self._rng.integers(6, 14))


class MixedPolicy:
    """Plays each episode with a scripted or a random policy.

    Args:
        scripted: probability of a scripted episode.
    """

    def __init__(self, scripted: float = 0.8) -> None:
        self.scripted = probability("scripted", scripted)
        self._policies: tuple[Policy, Policy] = (PushPolicy(), RandomPolicy())
        self._current: Policy = self._policies[0]

    def reset(self, rng: np.random.Generator) -> None:
        """Draws the episode's policy."""
        self._current = self._policies[0 if rng.random() < self.scripted else 1]
        self._current.reset(rng)

    def act(self, scene: Scene) -> Action:
        """The action of the episode's policy."""
        return self._current.act(scene)
