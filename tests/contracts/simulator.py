"""What every simulator promises. Inherit the class and say how to make one."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import pytest
import torch

from armillary.world_models.simulator import Observation, Simulator

HORIZON, CANDIDATES = 3, 4


class SimulatorContract(ABC):
    """Inherit and implement ``make`` and ``observations``."""

    @abstractmethod
    def make(self) -> Simulator:
        """A simulator."""

    @abstractmethod
    def observations(self) -> list[Observation]:
        """Three observations of different episodes."""

    @pytest.fixture
    def simulator(self) -> Simulator:
        return self.make()

    @pytest.fixture
    def actions(self, simulator) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        size = (3, CANDIDATES, HORIZON, simulator.action_size)
        return torch.rand(size, generator=generator) * 2 - 1

    def encoded(self, simulator, observations):
        context = simulator.context_length
        taken = np.zeros((len(observations), context - 1, simulator.action_size), np.float32)
        return simulator.encode([[step] * context for step in observations], taken)

    def rolled(self, simulator, observations, actions, seed=0):
        generators = [torch.Generator().manual_seed(seed + i) for i in range(len(observations))]
        return simulator.rollout(self.encoded(simulator, observations), actions, generators)

    def test_shapes(self, simulator, actions):
        rollout = self.rolled(simulator, self.observations(), actions)
        problems, candidates, particles, horizon = rollout.shape
        assert (problems, candidates, horizon) == (3, CANDIDATES, HORIZON)
        slots = rollout.slots.shape[-2]
        assert rollout.slots.shape[:-1] == (*rollout.shape, slots)
        assert rollout.positions.shape == (*rollout.shape, slots, 2)
        assert rollout.frames.shape[:5] == (*rollout.shape, 3)
        assert rollout.scene.masks.shape[:6] == (*rollout.shape, slots, 1)
        assert particles >= 1

    def test_scenes_are_images_with_masks_that_share_every_pixel(self, simulator, actions):
        scene = self.rolled(simulator, self.observations(), actions).scene
        assert scene.components.min() >= 0
        assert scene.components.max() <= 1
        total = scene.masks.sum(-4)
        assert torch.allclose(total, torch.ones_like(total), atol=1e-5)

    def test_a_problem_does_not_depend_on_its_neighbours(self, simulator, actions):
        observations = self.observations()
        together = self.rolled(simulator, observations, actions)
        alone = self.rolled(simulator, observations[1:2], actions[1:2], seed=1)
        assert torch.allclose(together.slots[1:2], alone.slots, atol=1e-5)

    def test_candidates_keep_their_order(self, simulator, actions):
        observations = self.observations()
        forwards = self.rolled(simulator, observations, actions)
        if forwards.shape[2] > 1:
            pytest.skip("candidates of a stochastic simulator draw noise of their own")
        backwards = self.rolled(simulator, observations, actions.flip(1))
        assert torch.allclose(forwards.positions, backwards.positions.flip(1), atol=1e-5)

    def test_a_repeated_query_gives_the_same_answer(self, simulator, actions):
        first = self.rolled(simulator, self.observations(), actions)
        second = self.rolled(simulator, self.observations(), actions)
        assert torch.equal(first.slots, second.slots)

    def test_actions_matter(self, simulator, actions):
        moved = self.rolled(simulator, self.observations(), actions).positions
        still = self.rolled(simulator, self.observations(), torch.zeros_like(actions)).positions
        assert (moved - still).abs().max() > 1e-3

    def test_the_goal_relates_to_the_start(self, simulator):
        observations = self.observations()
        goal = simulator.goal(self.encoded(simulator, observations), observations)
        problems, slots = goal.objects.shape
        assert problems == len(observations)
        assert goal.positions.shape == (problems, slots, 2)
        assert set(goal.objects.unique().tolist()) <= {0.0, 1.0}
        assert goal.effector.sum(-1).tolist() == [1.0] * problems
        assert (goal.objects * goal.effector).sum() == 0
        assert (goal.assignment.sort(-1).values == torch.arange(slots)).all()
