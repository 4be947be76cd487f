"""What every simulator promises. Inherit the class and say how to make one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from armillary.world_models.goals.roles import FindRoles
from armillary.world_models.simulator import Goal, Observation, Rollout, Simulator

HORIZON, CANDIDATES = 3, 4


def pixels_and_effort(rollout: Rollout, goal: Goal) -> torch.Tensor:
    """An objective that decodes and reads the actions."""
    error = (rollout.frames - goal.view.frames[:, None, None, None]).square().mean((-1, -2, -3))
    return error.mean((2, 3)) + rollout.actions.square().mean((2, 3))


class SimulatorContract(ABC):
    """Inherit and implement ``make`` and ``observations``."""

    @abstractmethod
    def make(self) -> Simulator:
        """A simulator."""

    @abstractmethod
    def observations(self) -> list[Observation]:
        """Three observations of different episodes."""

    @pytest.fixture
    def simulator(self) -> Iterator[Simulator]:
        made = self.make()
        yield made
        made.close()

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
        generators = self.generators(len(observations), seed)
        return simulator.rollout(self.encoded(simulator, observations), actions, generators)

    def generators(self, count=3, seed=0):
        return [torch.Generator().manual_seed(seed + i) for i in range(count)]

    def test_a_carried_belief_is_the_encoded_one(self, simulator):
        observations = self.observations()
        actions = np.full((3, 2, simulator.action_size), 0.1, np.float32)
        state = simulator.observe(None, 0 * actions[:, 0], observations)
        shifted = [observations[1:] + observations[:1], observations[2:] + observations[:2]]
        for t, seen in enumerate(shifted):
            state = simulator.observe(state, actions[:, t], seen)
        encoded = simulator.encode(list(zip(observations, *shifted, strict=True)), actions)
        for name, tensor in state.tensors().items():
            assert torch.allclose(tensor, encoded.tensors()[name], atol=1e-5), name

    def test_shapes(self, simulator, actions):
        rollout = self.rolled(simulator, self.observations(), actions)
        problems, candidates, particles, horizon = rollout.shape
        assert (problems, candidates, horizon) == (3, CANDIDATES, HORIZON)
        slots = rollout.slots.shape[-2]
        assert rollout.slots.shape[:-1] == (*rollout.shape, slots)
        assert rollout.positions.shape == (*rollout.shape, slots, 2)
        assert rollout.frames.shape[:5] == (*rollout.shape, 3)
        assert rollout.scene.masks.shape[:6] == (*rollout.shape, slots, 1)
        assert rollout.actions is actions
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

    def test_what_is_read_by_itself_is_what_scenes_show(self, simulator, actions):
        rollout = self.rolled(simulator, self.observations(), actions)
        frames, masks = rollout.frames, rollout.masks
        assert torch.allclose(frames, rollout.scene.frames, atol=1e-5)
        assert torch.allclose(masks, rollout.scene.masks, atol=1e-5)

    def test_a_rollout_can_be_had_for_some_problems(self, simulator, actions):
        rollout = self.rolled(simulator, self.observations(), actions)
        some = rollout.index(torch.tensor([2, 0]))
        assert some.shape == (2, *rollout.shape[1:])
        assert torch.equal(some.actions, actions[[2, 0]])
        assert torch.allclose(some.slots, rollout.slots[[2, 0]], atol=1e-6)

    def test_scores_are_the_objective_of_the_rollout(self, simulator, actions):
        observations = self.observations()
        state = self.encoded(simulator, observations)
        goal = simulator.goal(state, observations)
        found = simulator.score(state, actions, pixels_and_effort, goal, self.generators())
        rollout = self.rolled(simulator, observations, actions)
        assert found.shape == (3, CANDIDATES)
        assert torch.allclose(found, pixels_and_effort(rollout, goal), atol=1e-5)
        again = simulator.score(state, actions, pixels_and_effort, goal, self.generators())
        assert torch.equal(found, again)

    def test_no_candidate_wins_by_luck(self, simulator, actions):
        """The same actions score the same, whatever noise particles have."""
        observations = self.observations()
        state = self.encoded(simulator, observations)
        goal = simulator.goal(state, observations)
        alike = actions[:, :1].expand_as(actions)
        scores = simulator.score(state, alike, pixels_and_effort, goal, self.generators())
        assert torch.allclose(scores, scores[:, :1].expand_as(scores), atol=1e-6)

    def test_a_step_leads_each_state_on_and_leaves_it(self, simulator, actions):
        state = self.encoded(simulator, self.observations())
        before = state.map(torch.clone)
        ahead = simulator.step(state, actions[:, 0, 0])
        again = simulator.step(state.index([1]), actions[1:2, 0, 0])
        for name, tensor in state.tensors().items():
            assert torch.equal(tensor, before.tensors()[name]), name
            assert ahead.tensors()[name].shape == tensor.shape, name
            assert torch.allclose(ahead.tensors()[name][1:2], again.tensors()[name], atol=1e-5)
        moved = simulator.view(ahead).positions - simulator.view(state).positions
        assert moved.abs().max() > 1e-3

    def test_states_can_be_seen_as_a_rollout(self, simulator, actions):
        state = self.encoded(simulator, self.observations()).repeat(CANDIDATES)
        seen = simulator.view(state).imagined((3, CANDIDATES, 1, 1), actions[:, :, :1])
        assert seen.positions.shape[:4] == (3, CANDIDATES, 1, 1)
        assert torch.equal(seen.positions.flatten(0, 3), simulator.view(state).positions)
        assert torch.equal(seen.actions, actions[:, :, :1])

    def test_a_model_is_known_by_its_identity(self, simulator):
        other = self.make()
        assert simulator.identity == other.identity
        assert isinstance(other.identity, str)
        other.close()

    def test_a_view_shows_the_beliefs_and_roles_are_told_of_them(self, simulator):
        state = self.encoded(simulator, self.observations())
        view, roles = simulator.view(state), simulator.roles(state, FindRoles())
        assert view.shape == (3,)
        assert view.positions.shape == (*roles.objects.shape, 2)
        assert view.frames.shape[:2] == (3, 3)
        goal = simulator.goal(state, self.observations(), FindRoles())
        assert torch.equal(roles.objects, goal.objects)
        assert torch.equal(roles.effector, goal.effector)

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
