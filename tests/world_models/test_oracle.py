"""OracleSimulator: the simulator contract, and exactly the environment's own future."""

import math

import gymnasium as gym
import numpy as np
import pytest
import torch

from armillary.contracts.simulator import SimulatorContract
from armillary.envs.wrappers import PrivilegedState
from armillary.errors import ArmillaryError
from armillary.world_models import oracle
from armillary.world_models.oracle import OracleSimulator, PhysicsState


def effort(rollout, goal):
    return rollout.actions.square().mean((-1, -2))


def spread(rollout, goal):
    return rollout.positions.std(2).sum((-1, -2, -3))


def make_env():
    return PrivilegedState(gym.make("armillary/PushBlocks-v0", terminate_on_success=False))


class TestOracle(SimulatorContract):
    def make(self):
        return OracleSimulator(make_env().unwrapped.oracle, workers=0)

    def observations(self):
        return [make_env().reset(seed=seed)[0] for seed in range(3)]

    def test_it_imagines_what_happens(self, simulator):
        env = make_env()
        observation, _ = env.reset(seed=5)
        actions = np.random.default_rng(0).uniform(-1, 1, (8, 2)).astype(np.float32)
        state = self.encoded(simulator, [observation])
        rollout = simulator.rollout(state, torch.from_numpy(actions)[None, None])
        for t, action in enumerate(actions):
            observation, *_ = env.step(action)
            blocks = rollout.positions[0, 0, 0, t, 2:5].flatten().numpy()
            assert np.allclose(blocks, observation["achieved_goal"][:6], atol=1e-6)
            frame = rollout.frames[0, 0, 0, t].permute(1, 2, 0).numpy()
            assert np.allclose(frame, observation["image"] / 255.0, atol=1e-6)

    def test_what_does_not_fit_is_told(self, simulator, actions):
        state = self.encoded(simulator, self.observations())
        for wrong in (actions[:2], actions[..., :1], actions[:, :0]):
            with pytest.raises(ArmillaryError, match="B = 3, as many as there are states"):
                simulator.rollout(state, wrong)
            with pytest.raises(ArmillaryError, match="B = 3, as many as there are states"):
                simulator.score(state, wrong, lambda imagined, goal: goal, None)
        whole = torch.ones_like(actions)
        costs = simulator.score(state, whole.long(), effort, None)
        assert torch.equal(costs, simulator.score(state, whole, effort, None))
        with pytest.raises(ArmillaryError, match="the true physics must have 'state', got"):
            simulator.observe(None, np.zeros((1, 2)), [{"image": 0}])
        with pytest.raises(ArmillaryError, match="the true physics must have 'goal_state', got"):
            simulator.goal(state, [{}] * 3)

    def test_workers_change_nothing(self, simulator, actions):
        workers = OracleSimulator(make_env().unwrapped.oracle, workers=2)
        try:
            expected = self.rolled(simulator, self.observations(), actions)
            assert torch.equal(
                self.rolled(workers, self.observations(), actions).slots, expected.slots
            )
        finally:
            workers.close()

    def test_blocks_are_objects_and_the_pusher_is_the_effector(self, simulator):
        observations = self.observations()
        goal = simulator.goal(self.encoded(simulator, observations), observations)
        assert goal.objects.tolist() == [[0, 0, 1, 1, 1, 0]] * 3
        assert goal.effector.argmax(-1).tolist() == [1, 1, 1]
        desired = np.stack([observation["desired_goal"] for observation in observations])
        assert np.allclose(goal.positions[:, 2:5].flatten(1).numpy(), desired[:, :6], atol=1e-6)


NOISE = 0.3


def noisy_env():
    return PrivilegedState(
        gym.make("armillary/PushBlocks-v0", action_noise=NOISE, terminate_on_success=False)
    )


class TestParticles(SimulatorContract):
    def make(self):
        return OracleSimulator(noisy_env().unwrapped.oracle, workers=0, particles=3)

    def observations(self):
        return [noisy_env().reset(seed=seed)[0] for seed in range(3)]

    def test_every_particle_is_a_future_under_noise_that_candidates_share(self, simulator, actions):
        state = self.encoded(simulator, self.observations())
        rollout = self.rolled(simulator, self.observations(), actions)
        assert rollout.shape[2] == 3
        drawn = [torch.randn(3, 3, 2, generator=g) for g in self.generators()]
        for b, particle, candidate in ((0, 0, 0), (2, 1, 3), (1, 2, 1)):
            taken = actions[b, candidate].double() + NOISE * drawn[b][particle]
            scenes = noisy_env().unwrapped.oracle.simulate(state.scene[b].numpy(), taken.numpy())
            places = noisy_env().unwrapped.oracle.poses(scenes)[..., :2]
            found = rollout.positions[b, candidate, particle].numpy()
            assert np.allclose(found, places, atol=1e-6)

    def test_noise_is_the_tasks(self):
        """Where nothing is touched, the pusher spreads as it does in the task."""
        simulator = OracleSimulator(noisy_env().unwrapped.oracle, workers=0, particles=400)
        state = self.encoded(simulator, self.observations()[:1])
        still = torch.zeros(1, 1, 1, 2)
        pusher = simulator.rollout(state, still, self.generators(1)).positions[0, 0, :, 0, 1]
        assert np.allclose(pusher.std(0).numpy(), 0.1 * NOISE, rtol=0.15)

    def test_pieces_meet_the_same_noise(self, simulator, actions, monkeypatch):
        state = self.encoded(simulator, self.observations())
        goal = simulator.goal(state, self.observations())

        def scored():
            return simulator.score(state, actions, spread, goal, self.generators())

        together = scored()
        monkeypatch.setattr(oracle, "_STATES_AT_ONCE", 1)
        assert torch.equal(scored(), together)
        assert together.min() > 0

    def test_generators_are_needed(self, simulator, actions):
        state = self.encoded(simulator, self.observations())
        with pytest.raises(ArmillaryError, match="3 particles need one generator per problem"):
            simulator.rollout(state, actions)


def test_without_noise_all_particles_are_one():
    simulator = OracleSimulator(make_env().unwrapped.oracle, workers=0, particles=5)
    assert simulator.particles == 1
    with pytest.raises(ArmillaryError, match="particles must be at least 1, got 0"):
        OracleSimulator(make_env().unwrapped.oracle, particles=0)


def test_orientations_are_those_that_the_physics_tell_and_never_guessed() -> None:
    from armillary.envs.push_t.environment import PushTEnv
    from armillary.envs.stack_blocks.environment import StackBlocksEnv

    env = PushTEnv()
    env.reset(seed=0)
    state = PhysicsState(torch.tensor(env.snapshot())[None])
    cosine, sine = OracleSimulator(env.oracle, 0).orientations(state)[0, 2]
    assert cosine == pytest.approx(math.cos(env.snapshot()[4]), abs=1e-5)
    assert sine == pytest.approx(math.sin(env.snapshot()[4]), abs=1e-5)
    blocks = StackBlocksEnv(num_blocks=1)
    blocks.reset(seed=0)
    with pytest.raises(ArmillaryError, match="StackOracle does not tell how things lie"):
        OracleSimulator(blocks.oracle, 0).orientations(
            PhysicsState(torch.tensor(blocks.snapshot())[None])
        )
