"""run_episodes: every episode once and to its own end."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from armillary.agent.agent import NoopAgent, RandomAgent
from armillary.agent.episodes import run_batches, run_episodes
from armillary.errors import ArmillaryError

SPACE = spaces.Box(-1.0, 1.0, (1,), np.float32)


class Countdown(gym.Env):
    """Succeeds after ``seed`` steps; truncates after 5."""

    observation_space = spaces.Dict({"image": spaces.Box(0, 255, (1, 1, 3), np.uint8)})
    action_space = SPACE

    def _observation(self):
        image = np.full((1, 1, 3), self.steps, np.uint8)
        return {"image": image, "goal_image": image}

    def reset(self, *, seed=None, options=None):
        self.steps, self.needed = 0, seed
        return self._observation(), {}

    def step(self, action):
        self.steps += 1
        success = self.steps == self.needed
        return self._observation(), 0.0, False, self.steps == 5, {"is_success": success}


def test_every_seed_is_run_once_and_to_its_own_end():
    ended = []
    seeds = [1, 9, 3, 2, 9]
    episodes = run_episodes(Countdown, NoopAgent(SPACE), seeds, batch=2, on_end=ended.extend)
    assert [episode.seed for episode in episodes] == seeds
    assert [episode.success for episode in episodes] == [True, False, True, True, False]
    assert [episode.steps for episode in episodes] == [1, 5, 3, 2, 5]
    assert [len(episode.frames) for episode in episodes] == [2, 6, 4, 3, 6]
    assert sorted(episode.seed for episode in ended) == sorted(seeds)
    assert all(episode.held is None for episode in episodes)


class Halves(Countdown):
    """Measures how far it has come, falling again after half the way, and tells more than that."""

    measures = ("far",)

    def step(self, action):
        seen, reward, ended, cut, info = super().step(action)
        return seen, reward, ended, cut, {**info, "far": 1 / (1 + abs(3 - self.steps)), "more": 9.0}


def test_measures_are_the_greatest_of_an_episode_and_those_that_the_task_names():
    episodes = run_episodes(Halves, NoopAgent(SPACE), [1, 9, 2], batch=2)
    far = {"far": 1 / 3}, {"far": 1.0}, {"far": 0.5}
    assert tuple(episode.measures for episode in episodes) == far
    assert run_episodes(Countdown, NoopAgent(SPACE), [1], batch=1)[0].measures == {}


def test_an_episode_may_go_on_after_success():
    class Lasting(Countdown):
        """Stays solved where the seed is even."""

        def step(self, action):
            seen, reward, ended, cut, info = super().step(action)
            over = self.steps >= self.needed and self.needed % 2 == 0
            return seen, reward, ended, cut, {"is_success": info["is_success"] or over}

    agent, seeds = NoopAgent(SPACE), [2, 3, 9]
    (batch,) = run_batches(Lasting, agent, seeds, batch=3, play_on=True)
    assert [episode.success for episode in batch] == [True, True, False]
    assert [episode.steps for episode in batch] == [2, 3, 5]
    assert [episode.held for episode in batch] == [True, False, False]
    assert [len(episode.frames) for episode in batch] == [6, 6, 6]


def test_an_action_may_pass_through_the_goal():
    class Passing(Countdown):
        def step(self, action):
            seen, reward, ended, cut, info = super().step(action)
            return seen, reward, ended, cut, {**info, "at_goal": False}

    (batch,) = run_batches(Passing, NoopAgent(SPACE), [5], batch=1, play_on=True)
    assert [(episode.success, episode.held) for episode in batch] == [(True, False)]


def test_whether_success_is_held_is_not_known_where_it_ends_the_episode():
    class Ending(Countdown):
        def step(self, action):
            seen, reward, _, cut, info = super().step(action)
            return seen, reward, info["is_success"], cut, info

    (batch,) = run_batches(Ending, NoopAgent(SPACE), [2, 9], batch=2, play_on=True)
    assert [episode.held for episode in batch] == [None, False]


def test_the_batch_changes_nothing():
    results = []
    for batch in (1, 2, 5):
        episodes = run_episodes(Countdown, RandomAgent(SPACE), [4, 9, 2, 3, 1], batch)
        results.append([episode.actions for episode in episodes])
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("batch", [-1, 0])
def test_a_batch_of_none_is_refused(batch):
    with pytest.raises(ValueError, match=f"batch must be at least 1, got {batch}"):
        run_episodes(Countdown, NoopAgent(SPACE), [1], batch)


def test_seeds_may_be_numpys():
    seeds = np.arange(1, 3)
    assert [e.seed for e in run_episodes(Countdown, NoopAgent(SPACE), seeds, batch=2)] == [1, 2]


def test_environments_are_closed_where_one_of_them_cannot_be_made():
    made: list[gym.Env] = []
    closed: list[gym.Env] = []

    class Closing(Countdown):
        def close(self):
            closed.append(self)

    def make():
        if len(made) == 2:
            raise OSError("no display")
        made.append(Closing())
        return made[-1]

    with pytest.raises(OSError, match="no display"):
        run_episodes(make, NoopAgent(SPACE), [1, 2, 3], batch=3)
    assert len(made) == len(closed) == 2


@pytest.mark.parametrize("left_out", ["image", "goal_image", "is_success"])
def test_what_a_task_lacks_is_named(left_out):
    class Lacking(Countdown):
        def _observation(self):
            return {k: v for k, v in super()._observation().items() if k != left_out}

        def step(self, action):
            seen, reward, ended, cut, info = super().step(action)
            return seen, reward, ended, cut, {k: v for k, v in info.items() if k != left_out}

    with pytest.raises(ArmillaryError, match=f"must have '{left_out}', got"):
        run_episodes(Lacking, NoopAgent(SPACE), [1], batch=1)


def test_discrete_environments_get_their_own_actions():
    class Counted(Countdown):
        action_space = spaces.Discrete(4, start=2)

        def step(self, action):
            assert self.action_space.contains(action)
            return super().step(action)

    agent = RandomAgent(Counted.action_space)
    (episode,) = run_episodes(Counted, agent, [9], batch=1)
    assert episode.actions.shape == (5, 4)
    assert (episode.actions.sum(1) == 1).all()
    assert len(np.unique(episode.actions, axis=0)) > 1
