"""A planned episode shows what each plan expected after exactly the actions that were taken."""

from __future__ import annotations

from functools import partial

import gymnasium as gym
import numpy as np
import pytest
import torch

from armillary.agent.agent import RandomAgent
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
    simulator = LatentSimulator(model, device="cpu")
    agent = MPCAgent(
        simulator,
        Objective({"latent": Term(LatentDistance())}),
        RandomShooting(samples=6),
        space,
        HORIZON,
        INTERVAL,
    )
    Recorder.log.clear()
    (planned,) = play(lambda: Recorder(make()), agent, simulator, [SEED])
    return model, planned, list(Recorder.log)


def test_the_episode_is_the_seeds_and_every_step_of_it_is_there(played) -> None:
    _, episode, log = played
    env = make_environment({"id": "armillary/PushBlocks-v0"}, STEPS)
    observation, info = env.reset(seed=SEED)
    assert np.array_equal(episode.episode.frames[0], observation["image"])
    assert np.array_equal(episode.episode.goal_image, observation["goal_image"])
    for time, (action, _) in enumerate(log):
        observation = env.step(action)[0]
        assert np.array_equal(episode.episode.frames[time + 1], observation["image"])
    assert episode.distances == [info["distance"], *(said["distance"] for _, said in log)]
    assert episode.episode.success is any(said["is_success"] for _, said in log)
    assert (
        len(episode.episode.frames) - 1
        == len(episode.imagined)
        == len(episode.plan_ends)
        == len(log)
    )


def test_plans_change_every_replan_interval(played) -> None:
    assert played[1].plan_numbers == [0, 0, 1, 1, 2]


def test_what_is_expected_is_the_models_answer_to_the_actions_taken(played) -> None:
    model, episode, log = played
    frames = torch.from_numpy(episode.episode.frames).permute(0, 3, 1, 2).float() / 255
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


def test_episodes_that_are_planned_together_keep_their_own_plans(played) -> None:
    """Whoever shares the batch, and also when one ends before the others."""
    model, alone, _ = played
    lengths = {SEED: STEPS, SEED + 1: 2, SEED + 2: STEPS}
    made = iter(lengths.values())
    simulator = LatentSimulator(model, device="cpu")
    env = make_environment({"id": "armillary/PushBlocks-v0"}, STEPS)
    assert isinstance(env.action_space, gym.spaces.Box)
    objective = Objective({"latent": Term(LatentDistance())})
    search = RandomShooting(samples=6)
    agent = MPCAgent(simulator, objective, search, env.action_space, HORIZON, INTERVAL)
    found = play(
        lambda: make_environment({"id": "armillary/PushBlocks-v0"}, next(made)),
        *(agent, simulator, list(lengths), 3),
    )
    assert [one.plan_numbers for one in found] == [[0, 0, 1, 1, 2], [0, 0], [0, 0, 1, 1, 2]]
    assert [len(one.distances) for one in found] == [STEPS + 1, 3, STEPS + 1]
    assert found[0].distances == pytest.approx(alone.distances, abs=1e-3)
    difference = found[0].imagined.astype(int) - alone.imagined
    assert np.abs(difference).max() <= 2
    assert not np.array_equal(found[0].plan_ends[0], found[2].plan_ends[0])


def test_an_agent_that_does_not_plan_has_its_episodes_and_no_plans() -> None:
    env = make_environment({"id": "armillary/PushBlocks-v0"}, 3)
    assert isinstance(env.action_space, gym.spaces.Box)
    agent = RandomAgent(env.action_space)
    (found,) = play(
        lambda: make_environment({"id": "armillary/PushBlocks-v0"}, 3), agent, None, [0]
    )
    assert len(found.distances) == len(found.episode.frames) == 4
    assert len(found.imagined) == len(found.plan_numbers) == 0
