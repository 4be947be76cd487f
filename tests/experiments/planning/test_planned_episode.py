"""A planned episode shows what each plan expected after exactly the actions that were taken."""

from __future__ import annotations

from functools import partial

import gymnasium as gym
import numpy as np
import pytest
import torch

from armillary.agent.mpc import MPCAgent
from armillary.experiments.pixels import pictures
from armillary.experiments.planning.environments import make_environment
from armillary.experiments.planning.planned_episode import PlannedEpisode, play
from armillary.planners.costs import LatentDistance
from armillary.planners.objective import Objective, Term
from armillary.planners.random_shooting import RandomShooting
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.model import WorldModel
from tests.experiments.tiny import tiny_model

STEPS, HORIZON, INTERVAL, SEED = 5, 4, 2, 3


class Recorder(gym.Wrapper):
    """Keeps what an environment was told and said."""

    log: list[tuple[np.ndarray, dict]] = []  # noqa: RUF012  shared by all instances on purpose

    def step(self, action):
        result = self.env.step(action)
        self.log.append((action, result[-1]))
        return result


@pytest.fixture(scope="module")
def played() -> tuple[WorldModel, PlannedEpisode, list[tuple[np.ndarray, dict]]]:
    model = tiny_model()
    make = partial(make_environment, {"id": "armillary/PushBlocks-v0"}, STEPS)
    env = make()
    space = env.action_space
    assert isinstance(space, gym.spaces.Box)
    agent = MPCAgent(
        LatentSimulator(model, device="cpu"),
        Objective({"latent": Term(LatentDistance())}),
        RandomShooting(samples=6),
        space,
        HORIZON,
        INTERVAL,
    )
    Recorder.log.clear()
    return model, play(lambda: Recorder(make()), agent, model, SEED), list(Recorder.log)


def test_the_episode_is_the_seeds_and_every_step_of_it_is_there(played) -> None:
    _, episode, log = played
    env = make_environment({"id": "armillary/PushBlocks-v0"}, STEPS)
    observation, info = env.reset(seed=SEED)
    assert np.array_equal(episode.frames[0], observation["image"])
    assert np.array_equal(episode.goal_image, observation["goal_image"])
    for time, (action, _) in enumerate(log):
        observation = env.step(action)[0]
        assert np.array_equal(episode.frames[time + 1], observation["image"])
    assert episode.distances == [info["distance"], *(said["distance"] for _, said in log)]
    assert episode.success is any(said["is_success"] for _, said in log)
    assert len(episode.frames) - 1 == len(episode.imagined) == len(episode.plan_ends) == len(log)


def test_plans_change_every_replan_interval(played) -> None:
    assert played[1].plan_numbers == [0, 0, 1, 1, 2]


def test_what_is_expected_is_the_models_answer_to_the_actions_taken(played) -> None:
    model, episode, log = played
    frames = torch.from_numpy(episode.frames).permute(0, 3, 1, 2).float() / 255
    for step in range(STEPS):
        start = step - step % INTERVAL
        context = frames[[0, *range(start + 1)]].unsqueeze(0)
        before = np.stack([np.zeros(2, np.float32), *(action for action, _ in log[:start])])
        taken = np.stack([action for action, _ in log[start : step + 1]])
        with torch.no_grad():
            state = model.encode(context, torch.from_numpy(before).unsqueeze(0))
            future = model.rollout(state, torch.from_numpy(taken).unsqueeze(0))
            expected = pictures(model.decode(future.map(lambda x: x[:, -1])).frames)[0]
        assert np.abs(episode.imagined[step].astype(int) - expected).max() <= 1


def test_the_end_of_a_plan_is_the_same_while_it_is_followed(played) -> None:
    ends = played[1].plan_ends
    assert np.array_equal(ends[0], ends[1])
    assert np.array_equal(ends[2], ends[3])
    assert not np.array_equal(ends[1], ends[2])
