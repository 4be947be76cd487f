"""The true physics solve SpriteGoals, by goal image and by named objects."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from armillary.agent.episodes import Episode, run_episodes
from armillary.agent.mpc import MPCAgent
from armillary.agent.placed_objects import PlacedObjects
from armillary.envs.moving_sprites.scene import sprites_of
from armillary.envs.sprite_goals.environment import SpriteGoalsEnv
from armillary.envs.wrappers import PrivilegedState
from armillary.planners.costs import ObjectPosition
from armillary.planners.objective import Objective, Term
from armillary.planners.states.object_cem import ObjectCEM
from armillary.world_models.goals.object import ObjectGoal
from armillary.world_models.oracle import OracleSimulator

SEARCH = ObjectCEM(
    space="image", displacements=[[2, 3]], samples=40, iterations=2, elites=8, std=0.1
)


def posed() -> gym.Env:
    return PrivilegedState(gym.make("armillary/SpriteGoals-v0", image_size=32))


def played(reader: ObjectGoal | None) -> list[Episode]:
    simulator = OracleSimulator(SpriteGoalsEnv(image_size=32).oracle, workers=0)
    objective = Objective({"places": Term(ObjectPosition())})
    settings = {} if reader is None else {"goal_reader": reader}
    agent = MPCAgent(
        *(simulator, objective, SEARCH, posed().action_space),
        **{"horizon": 2, "replan_interval": 1, **settings},
    )

    def make() -> gym.Env:
        return posed() if reader is None else PlacedObjects(posed(), reader, simulator)

    return run_episodes(make, agent, seeds=[0, 1, 2], batch=3)


def test_goal_images_are_reached() -> None:
    assert np.mean([episode.success for episode in played(None)]) > 0.6


def test_named_sprites_are_put_where_they_were_said_to_belong() -> None:
    items = [{"slot": 1, "to": [0.2, 0.8]}, {"slot": 3, "region": [0.6, 0.1, 0.9, 0.4]}]
    assert np.mean([one.success for one in played(ObjectGoal(items, effector="none"))]) > 0.6


def test_what_is_on_top_is_selected_instead() -> None:
    env = SpriteGoalsEnv(num_sprites=2, noise=0.0)
    env.reset(seed=0, options={"shapes": ["disc"] * 2, "sizes": [0.09, 0.1]})
    scene = env.snapshot()
    sprites_of(scene)[:, :2] = [[0.4, 0.4], [0.42, 0.4]]
    after = env.oracle.simulate(scene, np.array([[0.4, 0.4, 0.2, 0.0]]))[0]
    assert sprites_of(after)[:, 0] == pytest.approx([0.4, 0.62])
