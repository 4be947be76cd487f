"""PushBlocks: the gymnasium contract, determinism, snapshots, factors of variation, physics."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from armillary.envs.push_blocks import physics
from armillary.envs.push_blocks.drawing import BACKGROUND, render_scene
from armillary.envs.push_blocks.environment import SUCCESS_DISTANCE, PushBlocksEnv
from armillary.envs.push_blocks.pushes import GOAL_DISTANCE


def rng(seed=0):
    return np.random.default_rng(seed)


def play(env, seed, actions):
    """Observations and rewards of one episode."""
    trace = [env.reset(seed=seed)[0]["image"]]
    for action in actions:
        observation, reward, *_ = env.step(action)
        trace += [observation["image"], observation["observation"], reward]
    return trace


@pytest.mark.parametrize("name", ["armillary/PushBlocks-v0", "armillary/PushBlocksNoisy-v0"])
@pytest.mark.parametrize("image_size", [32, 64])
def test_passes_gymnasiums_own_check(name, image_size):
    check_env(gym.make(name, image_size=image_size).unwrapped)


@pytest.mark.parametrize("name", ["armillary/PushBlocks-v0", "armillary/PushBlocksNoisy-v0"])
def test_a_seed_determines_an_episode(name):
    actions = rng().uniform(-1, 1, (10, 2)).astype(np.float32)
    first, second = (play(gym.make(name), 3, actions) for _ in range(2))
    other = play(gym.make(name), 4, actions)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_noise_perturbs_the_action():
    env = PushBlocksEnv(action_noise=0.05)
    env.reset(seed=0)
    start = env.snapshot()
    reached = []
    for _ in range(400):
        env.restore(start)
        env.step(np.zeros(2, np.float32))
        reached.append(env.snapshot()[1:3] - start[1:3])
    spread = np.std(reached, axis=0) / physics.STEP_LENGTH
    assert spread == pytest.approx([0.05, 0.05], rel=0.15)


def test_no_episode_starts_solved_and_one_block_has_to_move():
    env = PushBlocksEnv()
    for seed in range(150):
        _, info = env.reset(seed=seed)
        assert not info["is_success"]
        start, goal = (physics.blocks_of(s)[:, :2] for s in (env.snapshot(), env.goal_scene))
        moved = np.sort(np.linalg.norm(goal - start, axis=1))
        assert GOAL_DISTANCE[0] <= moved[-1] <= GOAL_DISTANCE[1]
        assert (moved[:-1] < 0.02).all()


def test_restore_continues_bit_for_bit():
    env = PushBlocksEnv(terminate_on_success=False)
    for seed in range(20):
        env.reset(seed=seed)
        actions = rng(seed).uniform(-1, 1, (15, 2))
        for action in actions[:5]:
            env.step(action)
        middle = env.snapshot()
        for action in actions[5:]:
            env.step(action)
        end = env.snapshot()
        fresh = PushBlocksEnv(terminate_on_success=False)
        fresh.restore(middle)
        for action in actions[5:]:
            fresh.step(action)
        assert np.array_equal(fresh.snapshot(), end)
        assert np.array_equal(env.oracle.simulate(middle, actions[5:])[-1], end)


def test_blocks_are_pushed_turned_and_kept_in_the_arena():
    moved = turned = 0
    for seed in range(40):
        env = PushBlocksEnv(num_blocks=4, terminate_on_success=False)
        env.reset(seed=seed)
        start = physics.blocks_of(env.snapshot()).copy()
        towards = start[0, :2]
        for _ in range(12):
            offset = (towards - env.snapshot()[1:3]) / physics.STEP_LENGTH
            env.step(np.clip(2.0 * offset, -1, 1))
            towards = physics.blocks_of(env.snapshot())[0, :2]
        end = physics.blocks_of(env.snapshot())
        moved += np.linalg.norm(end[0, :2] - start[0, :2]) > 0.1
        turned += abs(end[0, 2] - start[0, 2]) > 0.1
        assert ((end[:, :2] > 0.0) & (end[:, :2] < 1.0)).all()
    assert moved > 25
    assert turned > 10


def test_nothing_moves_untouched():
    env = PushBlocksEnv()
    env.reset(seed=0)
    before = env.snapshot()
    env.step(np.zeros(2, np.float32))
    assert np.array_equal(env.snapshot(), before)


def test_segmentation_names_what_the_image_shows():
    env = PushBlocksEnv(image_size=64)
    observation, _ = env.reset(seed=5, options={"colors": ["red", "green", "blue"]})
    labels = env.segmentation()
    assert sorted(np.unique(labels)) == [0, 1, 2, 3, 4]
    inner = labels == 0
    assert np.median(observation["image"][inner], axis=0) == pytest.approx(
        255 * np.array(BACKGROUND), abs=1
    )
    for index, block in enumerate(physics.blocks_of(env.snapshot())):
        seen = np.argwhere(labels == 2 + index)[:, ::-1].mean(0) / 64
        assert seen == pytest.approx(block[:2], abs=0.02)
        color = np.median(observation["image"][labels == 2 + index], axis=0)
        assert color == pytest.approx(255 * block[5:8], abs=2)


@pytest.mark.parametrize("shape", physics.SHAPES)
def test_shapes_of_one_size_cover_one_area(shape):
    block = np.zeros((1, physics.BLOCK))
    block[0, :5] = [0.5, 0.5, 0.3, physics.SHAPES.index(shape), 0.09]
    _, labels = render_scene(physics.make_scene(np.array([0.1, 0.1]), block), 256)
    assert (labels == 2).mean() == pytest.approx(np.pi * 0.09**2, rel=0.02)


def test_options_fix_the_factors():
    env = PushBlocksEnv()
    options = {
        "num_blocks": 2,
        "shapes": ["disc", "triangle"],
        "sizes": [0.06, 0.08],
        "colors": ["yellow", (0.1, 0.2, 0.3)],
    }
    env.reset(seed=0, options=options)
    blocks = physics.blocks_of(env.snapshot())
    assert blocks[:, 3].tolist() == [1, 2]
    assert blocks[:, 4].tolist() == [0.06, 0.08]
    assert blocks[1, 5:].tolist() == [0.1, 0.2, 0.3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_blocks": 5}, "from 1 to 4, got 5"),
        ({"colours": ["red"]}, "unknown reset options"),
        ({"shapes": ["disc"]}, "list 3 values"),
        ({"shapes": ["disc", "disc", "star"]}, "unknown shape 'star'"),
        ({"sizes": [0.07, 0.07, 0.5]}, "must lie in"),
        ({"colors": ["red", "green", "bleu"]}, "unknown color 'bleu'"),
    ],
)
def test_wrong_options_are_explained(options, message):
    with pytest.raises(ValueError, match=message):
        PushBlocksEnv().reset(seed=0, options=options)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_size": 48}, "image_size must be one of"),
        ({"num_blocks": 0}, "num_blocks must be from 1"),
        ({"num_blocks": 5}, "num_blocks must be from 1 to 4, got 5"),
        ({"num_moved": 4}, "num_moved must be from 1 to num_blocks, 3, got 4"),
        ({"action_noise": -1.0}, "standard deviation"),
        ({"reward_type": "shaped"}, "'sparse' or 'dense'"),
        ({"render_mode": "human"}, "rgb_array"),
    ],
)
def test_wrong_settings_are_explained(settings, message):
    with pytest.raises(ValueError, match=message):
        PushBlocksEnv(**settings)


def test_runs_in_vector_environments():
    vector = gym.make_vec("armillary/PushBlocks-v0", num_envs=3, vectorization_mode="sync")
    observations, _ = vector.reset(seed=7)
    single, _ = gym.make("armillary/PushBlocks-v0").reset(seed=8)
    assert np.array_equal(observations["image"][1], single["image"])
    for _ in range(25):
        observations, *_ = vector.step(vector.action_space.sample())
    assert observations["image"].shape == (3, 32, 32, 3)


def test_a_snapshot_that_is_none_is_refused():
    env = PushBlocksEnv()
    env.reset(seed=0, options={"num_blocks": 4})
    scene = env.snapshot()
    env.restore(scene)
    for count in (0, 5, 1.5):
        wrong = scene.copy()
        wrong[0] = count
        with pytest.raises(ValueError, match="starts with 1 to 4 blocks"):
            env.restore(wrong)
    wrong[:2] = 1, np.nan
    for no_scene in (wrong, scene[:-1]):
        with pytest.raises(ValueError, match="35 finite numbers"):
            env.restore(no_scene)
    assert np.array_equal(env.snapshot(), scene)
    env.reset(seed=0, options={"num_blocks": 1})
    env.restore(env.snapshot())


def test_distance_is_the_furthest_blocks_and_success_is_below_its_limit():
    env = PushBlocksEnv()
    env.reset(seed=0)
    scene = env.snapshot()
    for shift, reached in ((0.059, True), (0.061, False)):
        goal = scene.copy()
        physics.blocks_of(goal)[0, :2] += 0.01
        physics.blocks_of(goal)[2, 1] += shift
        env.pose(scene, goal)
        *_, ended, _, info = env.step(np.zeros(2))
        expected = {"is_success": reached, "distance": pytest.approx(shift), "entered": False}
        assert info == expected
        assert ended is reached


def test_it_renders_where_that_was_asked_for():
    env = PushBlocksEnv(image_size=32, render_mode="rgb_array")
    observation, _ = env.reset(seed=0)
    image = env.render()
    assert image.shape == (256, 256, 3)
    assert np.abs(image.reshape(32, 8, 32, 8, 3).mean((1, 3)) - observation["image"]).mean() < 3
    assert PushBlocksEnv().render() is None
    assert env.tolerance == SUCCESS_DISTANCE
    assert (PushBlocksEnv().image_size, PushBlocksEnv().num_blocks) == (32, 3)


def test_actions_may_round_beyond_the_bounds():
    env = PushBlocksEnv()
    env.reset(seed=0)
    env.step(np.array([1.0 + 5e-7, -1.0 - 5e-7]))
    with pytest.raises(ValueError, match="action must be finite and in"):
        env.step(np.array([1.0 + 5e-6, 0.0]))
