"""OracleSimulator: the simulator contract, and exactly the environment's own future."""

import gymnasium as gym
import numpy as np
import torch

from armillary.contracts.simulator import SimulatorContract
from armillary.envs.wrappers import PrivilegedState
from armillary.world_models.oracle import OracleSimulator


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
