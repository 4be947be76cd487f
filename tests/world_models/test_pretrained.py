"""Bundled checkpoints of single tasks: they see what is there, and plan."""

from __future__ import annotations

import numpy as np
import torch

from armillary.agent.mpc import MPCAgent
from armillary.envs.stack_blocks.environment import StackBlocksEnv
from armillary.envs.stack_blocks.scene import positions_of
from armillary.planners.costs import ReadoutDistance
from armillary.planners.objective import Objective, Term
from armillary.planners.states.object_cem import ObjectCEM
from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.goals.image import ImageGoal
from armillary.world_models.latent import LatentSimulator


def test_stack_blocks_tells_where_in_the_scene_blocks_are_and_puts_one_in_place() -> None:
    simulator = LatentSimulator(load_model("pretrained/stack_blocks"), "cpu", still=False)
    env = StackBlocksEnv(num_blocks=3)
    observation, _ = env.reset(seed=20_000)
    belief = simulator.observe(None, np.zeros((1, 4), np.float32), [observation])
    places = torch.from_numpy(positions_of(env.snapshot())[:, :2]).float()
    apart = torch.cdist(places, simulator.view(belief).handles[0, 1:])
    assert (apart.amin(1) < 0.2).all()

    env = StackBlocksEnv(num_blocks=1)
    objective = Objective({"readout": Term(ReadoutDistance(saturation=0.1))})
    goals = ImageGoal(effector="none")
    agent = MPCAgent(simulator, objective, ObjectCEM(), env.action_space, 1, goal_reader=goals)
    observation, _ = env.reset(seed=20_000)
    agent.reset(0)
    *_, info = env.step(agent.act(observation))
    assert info["distance"] < 0.3
