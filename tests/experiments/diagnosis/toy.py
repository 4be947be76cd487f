"""A toy that takes milliseconds: a hand pushes a disc, and simulators of it with planted faults."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.wrappers import TimeLimit
from numpy.typing import NDArray
from torch import Tensor

from armillary.agent.agent import NoopAgent
from armillary.envs.wrappers import PrivilegedState
from armillary.experiments.command.config import compose
from armillary.experiments.evaluation.diagnosis.evidence import Diagnosis
from armillary.experiments.planning.entries import Entry
from armillary.experiments.verbs.diagnose import diagnosed
from armillary.world_models.oracle import OracleSimulator, PhysicsState
from armillary.world_models.simulator import Goal, Observation, RoleFinder, Rollout
from armillary.world_models.state import Scene

SIZE, REACH, RADIUS, STEPS, CLOSE = 16, 0.16, 0.1, 8, 0.06
SEARCH = ("planner.samples=16", "planner.elites=4", "planner.iterations=3", "horizon=5")
SPACE = spaces.Box(-1.0, 1.0, (2,), np.float32)


class Toy:
    """Scenes (6,): x and y of the hand, of the disc that it pushes, and of one that stays."""

    action_size = 2

    def simulate(self, scene: NDArray[np.float64], actions: NDArray) -> NDArray[np.float64]:
        hand, disc, still = (scene[i : i + 2].tolist() for i in (0, 2, 4))
        scenes = np.empty((len(actions), 6))
        for t, (x, y) in enumerate(actions.tolist()):
            hand = [min(max(a + 0.1 * b, 0.05), 0.95) for a, b in zip(hand, (x, y), strict=True)]
            dx, dy = disc[0] - hand[0], disc[1] - hand[1]
            distance = max((dx * dx + dy * dy) ** 0.5, 1e-6)
            if distance < REACH:
                disc = [hand[0] + dx / distance * REACH, hand[1] + dy / distance * REACH]
            scenes[t] = (*hand, *disc, *still)
        return scenes

    def poses(self, scenes: NDArray[np.float64]) -> NDArray[np.float64]:
        middle = np.full((len(scenes), 2), 0.5)
        return np.concatenate([middle, scenes], 1).reshape(len(scenes), 4, 2)

    def roles(self, scene: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
        return np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 1.0, 0.0, 0.0])

    def draw(self, scene: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        y, x = (np.mgrid[:SIZE, :SIZE] + 0.5) / SIZE
        labels = np.zeros((SIZE, SIZE), np.uint8)
        for thing in (1, 2, 3):
            at = scene[2 * thing - 2 : 2 * thing]
            labels[(x - at[0]) ** 2 + (y - at[1]) ** 2 < RADIUS**2] = thing
        return np.repeat(60 * labels[..., None], 3, -1), labels


class ToyTask(gym.Env[Any, Any]):
    """Push the disc to where the goal shows it."""

    def __init__(self) -> None:
        image = spaces.Box(0, 255, (SIZE, SIZE, 3), np.uint8)
        self.observation_space = spaces.Dict({"image": image, "goal_image": image})
        self.action_space = SPACE
        self._toy = Toy()
        self._scene = self.goal_scene = np.zeros(6)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        angle = self.np_random.uniform(0, 2 * np.pi)
        way = np.array([np.cos(angle), np.sin(angle)])
        turned = angle + self.np_random.uniform(-0.7, 0.7)
        disc = np.array([0.5, 0.5])
        hand = disc - 0.2 * np.array([np.cos(turned), np.sin(turned)])
        still = disc + 0.4 * np.array([way[1], -way[0]])
        self._scene = np.concatenate([hand, disc, still])
        self.goal_scene = np.concatenate([hand, disc + 0.22 * way, still])
        return self._seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._scene = self._toy.simulate(self._scene, np.asarray(action)[None])[0]
        distance = float(np.abs(self._scene[2:] - self.goal_scene[2:]).max())
        success = distance < CLOSE
        told = {"is_success": success, "distance": distance}
        return self._seen(), 0.0, success, False, told

    def snapshot(self) -> NDArray[np.float64]:
        return self._scene.copy()

    def _seen(self) -> dict[str, Any]:
        image, goal = (self._toy.draw(one)[0] for one in (self._scene, self.goal_scene))
        return {"image": image, "goal_image": goal}


class Model(OracleSimulator):
    """The toy as a model that knows it; subclasses are wrong about something."""

    def __init__(self) -> None:
        super().__init__(Toy(), workers=0)


class Acting(Model):
    """Takes actions for others."""

    def __init__(self, *factors: float) -> None:
        super().__init__()
        self._factors = torch.tensor(factors)

    def rollout(
        self,
        state: PhysicsState,
        actions: Tensor,
        generators: Sequence[torch.Generator] | None = None,
    ) -> Rollout[PhysicsState]:
        future = super().rollout(state, actions * self._factors)
        return Rollout(future.state, future.shape, self, actions)


class Noisy(Model):
    """Imagines that things jump."""

    def __init__(self) -> None:
        super().__init__()
        self._drawn = torch.Generator().manual_seed(0)

    def rollout(
        self,
        state: PhysicsState,
        actions: Tensor,
        generators: Sequence[torch.Generator] | None = None,
    ) -> Rollout[PhysicsState]:
        future = super().rollout(state, actions)
        noise = 0.3 * torch.randn(future.state.scene.shape, generator=self._drawn)
        return Rollout(PhysicsState(future.state.scene + noise), future.shape, self, actions)


class Untouched(Model):
    """Imagines that nothing but the hand ever moves."""

    def rollout(
        self,
        state: PhysicsState,
        actions: Tensor,
        generators: Sequence[torch.Generator] | None = None,
    ) -> Rollout[PhysicsState]:
        future = super().rollout(state, actions)
        scenes = future.state.scene.clone().unflatten(0, (len(state), -1))
        scenes[..., 2:] = state.scene[:, None, 2:]
        return Rollout(PhysicsState(scenes.flatten(0, 1)), future.shape, self, actions)


class Merging(Model):
    """Shows both discs in one slot, between them; the other one is empty and lies there too."""

    def slots(self, state: PhysicsState) -> Tensor:
        poses = super().slots(state).clone()
        poses[:, 2:] = poses[:, 2:].mean(1, keepdim=True)
        return poses

    def decode(self, state: PhysicsState) -> Scene:
        scene = super().decode(state)
        masks = scene.masks.clone()
        masks[:, 2] += masks[:, 3]
        masks[:, 3] = 0
        return Scene(scene.components, masks)


class Losing(Model):
    """Sees the disc as background, and an empty slot in the middle."""

    def slots(self, state: PhysicsState) -> Tensor:
        poses = super().slots(state).clone()
        poses[:, 2] = 0.5
        return poses

    def decode(self, state: PhysicsState) -> Scene:
        scene = super().decode(state)
        masks = scene.masks.clone()
        masks[:, 0] += masks[:, 2]
        masks[:, 2] = 0
        return Scene(scene.components, masks)


class Misreading(Model):
    """Believes that the goal is on the other side."""

    def goal(
        self,
        state: PhysicsState,
        observations: Sequence[Observation],
        find: RoleFinder | None = None,
    ) -> Goal[PhysicsState]:
        turned = [
            {**one, "goal_state": 2 * np.asarray(one["state"]) - one["goal_state"]}
            for one in observations
        ]
        return super().goal(state, turned, find)


class Mistaking(Model):
    """Takes the hand for what is to be placed."""

    def goal(
        self,
        state: PhysicsState,
        observations: Sequence[Observation],
        find: RoleFinder | None = None,
    ) -> Goal[PhysicsState]:
        known = super().goal(state, observations, find)
        return Goal(known.view, known.assignment, known.effector, torch.zeros_like(known.effector))


def toy_diagnosis(model: Model, folder: Path, *words: str, physics: bool = True) -> Diagnosis:
    """What a diagnosis finds of a model of the toy."""
    given = ["checkpoint=toy", *SEARCH, "replan_interval=2", "workers=0", f"output={folder}"]
    given += ["episodes=6", "looks=1"]
    last = {word.partition("=")[0]: word for word in [*given, *words]}
    config = compose("diagnose", [*last.values()])

    def make() -> gym.Env:
        env = TimeLimit(ToyTask(), STEPS)
        return env if physics else PrivilegedState(env)  # which the model reads all the same

    entry = Entry("toy", "cem", NoopAgent(SPACE), make, model)
    return diagnosed(entry, config, Toy() if physics else None)
