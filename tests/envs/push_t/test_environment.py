"""PushT: the contracts, success within an action, budgets, looks, and what is refused."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from armillary.envs.push_t.criterion import tolerances
from armillary.envs.push_t.drawing import AGENT, BLOCK, render_scene
from armillary.envs.push_t.environment import PushTEnv
from armillary.envs.push_t.layout import Factors
from armillary.envs.push_t.physics import ARENA, HOLD, control, simulate, target_of
from armillary.envs.push_t.policies import PushPolicy
from armillary.errors import ArmillaryError
from tests.contracts.task import SimulatedContract, TaskContract


class TestHeld(TaskContract, SimulatedContract):
    def make(self) -> gym.Env:
        return PushTEnv()

    def policies(self) -> list[PushPolicy]:
        return [PushPolicy()]


class TestPerStepWithARegion(TaskContract, SimulatedContract):
    def make(self) -> gym.Env:
        return PushTEnv(action="per_step", problems="clean", draw_goal=True, vary=["block_color"])

    def policies(self) -> list[PushPolicy]:
        return [PushPolicy()]


@pytest.mark.parametrize("image_size", [64, 96, 128])
def test_passes_gymnasiums_own_check(image_size: int) -> None:
    check_env(gym.make("armillary/PushT-v0", image_size=image_size).unwrapped)


def posed(offset: tuple[float, ...], **settings: Any) -> PushTEnv:
    """A problem whose goal has the T where it is and the agent so far away."""
    env = PushTEnv(**settings)
    env.reset(seed=0)
    start = env.snapshot()
    start[0:10] = (100.0, 100.0, 350.0, 330.0, 0.4, 0.0, 0.0, 0.0, 0.0, 0.0)
    goal = start.copy()
    goal[: len(offset)] += offset
    env.pose(start, goal)
    return env


def test_the_criterion_is_the_fields() -> None:
    """|(agent, T)| < 20 as one vector of four, and an angle below pi / 9 the short way round."""
    here = np.array([100.0, 100.0, 300.0, 300.0, np.pi - 0.1])
    for change, solved in (
        ((14.0, 0.0, 14.0, 0.0, 0.0), True),
        ((15.0, 0.0, 15.0, 0.0, 0.0), False),
        ((0.0, 0.0, 0.0, 0.0, 0.34 - 2 * np.pi), True),
        ((0.0, 0.0, 0.0, 0.0, 0.36), False),
    ):
        assert (tolerances(here, here + change) < 1.0) == solved


def test_success_is_looked_for_at_every_control_step_and_ends_there() -> None:
    env = posed((42.0, 0.0))
    _, reward, terminated, truncated, info = env.step(np.array([1.0, 0.0], np.float32))
    assert info["is_success"]
    assert terminated
    assert not truncated
    assert info["at_goal"]
    assert info["control_steps"] == 1
    assert reward == 0.0


def test_with_play_on_a_goal_may_be_touched_and_left() -> None:
    env = posed((42.0, 0.0), terminate_on_success=False)
    _, reward, terminated, _, info = env.step(np.array([1.0, 0.0], np.float32))
    assert info["is_success"]
    assert not info["at_goal"]
    assert not terminated
    assert info["control_steps"] == HOLD
    assert info["distance"] == pytest.approx((env.snapshot()[0] - 142.0) / 20.0)
    assert reward == -1.0


@pytest.mark.parametrize(("action", "steps"), [("held", 10), ("per_step", 50)])
def test_budgets_are_counted_in_control_steps(action: str, steps: int) -> None:
    env = posed((300.0, 0.0), action=action)
    cut = [env.step(np.zeros(2, np.float32))[3] for _ in range(steps)]
    assert cut == [False] * (steps - 1) + [True]


def test_both_kinds_of_actions_lead_to_the_same_places() -> None:
    """A held action keeps its target, which each step's own action names anew."""
    held, single = posed((300.0, 0.0)), posed((300.0, 0.0), action="per_step")
    held.step(np.array([0.8, 0.9], np.float32))
    target = target_of(single.snapshot(), np.array([0.8, 0.9]))
    for _ in range(HOLD):
        single.step(((np.array(target) - single.snapshot()[:2]) / 100.0).astype(np.float32))
    assert single.snapshot()[:2] == pytest.approx(held.snapshot()[:2], abs=0.01)


def test_masks_are_exact_and_the_region_is_background() -> None:
    env = PushTEnv(image_size=128, draw_goal=True)
    env.reset(seed=1)
    scene = env.snapshot()
    labels = env.segmentation()
    assert set(np.unique(labels)) == {0, AGENT, BLOCK}
    area = (labels == BLOCK).mean() * ARENA**2
    assert area == pytest.approx(7 * 30.0**2, rel=0.06)
    image = render_scene(scene, 128)[0]
    region = np.isclose(image, 255 * np.array(Factors().goal_color), atol=1).all(-1)
    assert region.any()
    assert not labels[region].any()


def test_factors_vary_with_the_seed_and_options_fix_them() -> None:
    env = PushTEnv(vary=["block_scale", "agent_color"])
    scales = {env.reset(seed=seed)[0]["observation"][11] for seed in range(4)}
    assert len(scales) == 4
    env.reset(seed=0, options={"block_scale": 28, "background_color": [0.2, 0.3, 0.4]})
    scene = env.snapshot()
    assert scene[11] == 28.0
    assert scene[18:21].tolist() == [0.2, 0.3, 0.4]
    assert scene[15:18].tolist() == pytest.approx(Factors().block_color)
    env.reset(seed=0)
    usual = PushTEnv()
    usual.reset(seed=0)
    assert usual.snapshot()[10:12].tolist() == [15.0, 30.0]


def test_rewards_are_batched() -> None:
    env = posed((300.0, 0.0), reward_type="dense")
    poses = np.tile(env.snapshot()[:5], (3, 1))
    goals = poses + np.array([[0.0], [10.0], [20.0]]) * [1, 0, 0, 0, 0]
    assert env.compute_reward(poses, goals, {}).tolist() == [0.0, -0.5, -1.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_size": 32}, "image_size must be one of"),
        ({"action": "hold"}, "did you mean 'held'"),
        ({"problems": "cleen"}, "did you mean 'clean'"),
        ({"distance": 12}, "a multiple of 5"),
        ({"budget": 0}, "at least 1"),
        ({"vary": ["color"]}, "unknown factor of variation 'color'"),
        ({"reward_type": "none"}, "'sparse' or 'dense'"),
        ({"render_mode": "human"}, "render_mode"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArmillaryError, match=message):
        PushTEnv(**settings)


def test_bad_options_and_snapshots_are_refused() -> None:
    env = PushTEnv()
    for options, message in (
        ({"block_scale": 80}, "must lie in"),
        ({"agent_color": "red"}, "three numbers"),
        ({"size": 1}, "unknown factor"),
    ):
        with pytest.raises(ArmillaryError, match=message):
            env.reset(seed=0, options=options)
    env.reset(seed=0)
    with pytest.raises(ArmillaryError, match="28 finite numbers"):
        env.restore(np.zeros(5))
    with pytest.raises(ArmillaryError, match="scale of the T"):
        env.restore(np.zeros(28) + np.eye(28)[10] * 15)


def test_the_oracle_holds_as_long_as_the_action() -> None:
    env = PushTEnv(action="per_step")
    env.reset(seed=0)
    actions = np.full((3, 2), 0.3)
    start = env.snapshot()
    assert np.array_equal(env.oracle.simulate(start, actions), simulate(start, actions, 1))
    once = control(start, [target_of(start, actions[0])])
    assert np.array_equal(env.oracle.simulate(start, actions[:1]), once)
