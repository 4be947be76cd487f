"""MovingSprites: the gymnasium contract, motion and its noise, drags, drawing."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from armillary.envs.drawing import Shape, draw_shapes, signed_distance
from armillary.envs.moving_sprites.environment import (
    DRAG_LENGTH,
    RADIUS,
    SCALE,
    SPEED_RANGE,
    MovingSpritesEnv,
    sample_scene,
)
from armillary.envs.moving_sprites.policies import DragPolicy, WatchPolicy
from armillary.envs.moving_sprites.scene import move, sprite_at, sprites_of
from armillary.envs.push_blocks import physics

STILL = np.zeros(0, np.float32)


@pytest.mark.parametrize("image_size", [32, 64])
@pytest.mark.parametrize("action_conditional", [False, True])
def test_passes_gymnasiums_own_check(image_size, action_conditional):
    settings = {"image_size": image_size, "action_conditional": action_conditional}
    check_env(gym.make("armillary/MovingSprites-v0", **settings).unwrapped)


def test_a_seed_determines_an_episode():
    def play(seed):
        env = MovingSpritesEnv()
        frames = [env.reset(seed=seed)[0]["image"]]
        return np.stack(frames + [env.step(STILL)[0]["image"] for _ in range(5)])

    assert np.array_equal(play(3), play(3))
    assert not np.array_equal(play(3), play(4))


def test_scenes_have_the_factors_that_were_asked_for():
    counts, kinds, greys = set(), set(), []
    env = MovingSpritesEnv(image_size=64)
    for seed in range(150):
        observation, _ = env.reset(seed=seed)
        sprites = sprites_of(env.snapshot())
        counts.add(len(sprites))
        kinds |= set(sprites[:, 5].astype(int))
        corner = observation["image"][env.segmentation() == 0][0]
        assert len(set(corner.tolist())) == 1
        greys.append(corner[0])
        assert sorted(np.unique(env.segmentation())) == list(range(len(sprites) + 1))
        area = np.bincount(env.segmentation().ravel())[1:] / 64**2
        assert (area < 1.1 * SCALE**2).all()
        assert area.max() > 0.9 * SCALE**2
    assert counts == {2, 3}
    assert kinds == {0, 1, 2}
    assert np.ptp(greys) > 0.6 * 255


@pytest.mark.parametrize("noise", [0.0, 0.035, 0.05])
def test_sprites_move_by_their_velocity_and_noise(noise):
    env, residuals = MovingSpritesEnv(noise=noise), []
    for seed in range(150):
        env.reset(seed=seed)
        for _ in range(9):
            before = sprites_of(env.snapshot()).copy()
            env.step(STILL)
            after = sprites_of(env.snapshot())
            free = (np.abs(before[:, :2] - 0.5) < 0.1).all(1)  # no wall is near
            residuals += [*(after - before)[free, :2] - before[free, 2:4]]
            speed = np.linalg.norm(after[:, 2:4], axis=1)
            assert (speed >= SPEED_RANGE[0] - 1e-9).all()
            assert (speed <= SPEED_RANGE[1] + 1e-9).all()
    residuals = np.array(residuals)
    assert len(residuals) > 50
    assert np.abs(residuals.mean(0)).max() <= 0.2 * noise + 1e-9
    assert residuals.std(0) == pytest.approx([noise, noise], rel=0.15, abs=1e-9)


def test_walls_keep_sprites_in_sight_and_turn_them_back():
    env, turned = MovingSpritesEnv(noise=0.05), 0
    for seed in range(30):
        env.reset(seed=seed)
        start = sprites_of(env.snapshot())[:, 2:4].copy()
        for _ in range(30):
            env.step(STILL)
            positions = sprites_of(env.snapshot())[:, :2]
            assert (positions >= 0.1).all()
            assert (positions <= 0.9).all()
        turned += (start * sprites_of(env.snapshot())[:, 2:4] < 0).any()
    assert turned > 20


def test_a_drag_moves_the_uppermost_sprite_under_the_click():
    env = MovingSpritesEnv(noise=0.0, action_conditional=True)
    for seed in range(20):
        env.reset(seed=seed)
        before = sprites_of(env.snapshot()).copy()
        assert (before[:, 2:4] == 0).all()
        towards_middle = np.sign(0.5 - before[1, :2])
        env.step(np.concatenate([2 * before[1, :2] - 1, towards_middle]).astype(np.float32))
        moved = sprites_of(env.snapshot())[:, :2] - before[:, :2]
        assert moved[1] == pytest.approx(DRAG_LENGTH * towards_middle, abs=1e-6)
        assert (np.delete(moved, 1, 0) == 0).all()


def test_a_click_takes_the_sprite_that_hides_the_others():
    env = MovingSpritesEnv()
    env.reset(seed=0)
    scene = env.snapshot()
    sprites = sprites_of(scene)
    sprites[:, :2] = (0.3, 0.6)
    assert sprite_at(scene, np.array([0.3, 0.6])) == len(sprites) - 1
    sprites[-1, :2] = (0.7, 0.6)
    assert sprite_at(scene, np.array([0.3, 0.6])) == len(sprites) - 2
    assert sprite_at(scene, np.array([0.5, 0.1])) is None


def test_a_click_beside_all_sprites_does_nothing():
    env = MovingSpritesEnv(noise=0.0, action_conditional=True)
    env.reset(seed=0)
    before = env.snapshot()
    row, column = np.argwhere(env.segmentation() == 0)[0]
    click = 2 * (np.array([column, row]) + 0.5) / env.image_size - 1
    env.step(np.array([*click, 1, 1], np.float32))
    assert np.array_equal(env.snapshot(), before)


def test_segmentation_and_observation_agree_with_the_image():
    env = MovingSpritesEnv(image_size=64)
    observation, _ = env.reset(seed=2)
    labels, poses = env.segmentation(), observation["observation"].reshape(-1, 4)
    for index, sprite in enumerate(sprites_of(env.snapshot())):
        seen = np.argwhere(labels == 1 + index)[:, ::-1].mean(0) / 64
        assert seen == pytest.approx(sprite[:2], abs=0.03)
        assert poses[index, :2] == pytest.approx(sprite[:2])
        color = np.median(observation["image"][labels == 1 + index], axis=0)
        assert color == pytest.approx(255 * sprite[6:9], abs=2)


@pytest.mark.parametrize("kind", physics.SHAPES)
def test_shapes_of_one_radius_cover_one_area(kind):
    shape = Shape(1, 0.5, 0.5, 0.4, kind, RADIUS, (1.0, 0.0, 0.0))
    frame, labels = draw_shapes([shape], (0.5, 0.5, 0.5), 256)
    assert labels.mean() == pytest.approx(SCALE**2, rel=0.02)
    assert frame[..., 0].mean() == pytest.approx(128 + 127 * SCALE**2, abs=0.5)
    inside = signed_distance(shape, *np.array([[0.5], [0.5]], np.float32))
    outside = signed_distance(shape, *np.array([[0.9], [0.5]], np.float32))
    assert inside[0] < 0 < outside[0]


def test_later_shapes_lie_on_top():
    shapes = [Shape(i, 0.5, 0.5, 0.0, "disc", 0.2, (0.0, 0.0, 0.0)) for i in (1, 2)]
    _, labels = draw_shapes(shapes, (1.0, 1.0, 1.0), 32)
    assert set(np.unique(labels)) == {0, 2}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_size": 48}, "image_size must be one of"),
        ({"noise": -1.0}, "standard deviation"),
        ({"noise": float("nan")}, "standard deviation"),
        ({"render_mode": "human"}, "rgb_array"),
    ],
)
def test_wrong_settings_are_explained(settings, message):
    with pytest.raises(ValueError, match=message):
        MovingSpritesEnv(**settings)


def test_wrong_actions_and_options_are_explained():
    env = MovingSpritesEnv(action_conditional=True)
    with pytest.raises(ValueError, match="no reset options"):
        env.reset(options={"num_sprites": 3})
    env.reset(seed=0)
    for action in (np.zeros(2), np.full(4, 1.5), np.full(4, np.nan)):
        with pytest.raises(ValueError, match="action must"):
            env.step(action)
    with pytest.raises(ValueError, match=r"shape \(0,\)"):
        MovingSpritesEnv().step(np.zeros(4))


def test_the_drag_policy_hits_sprites_as_often_as_asked():
    env, hits = MovingSpritesEnv(noise=0.0, action_conditional=True), []
    policy = DragPolicy(hit=0.8)
    for seed in range(60):
        env.reset(seed=seed)
        policy.reset(np.random.default_rng(seed))
        for _ in range(5):
            before = env.snapshot()
            env.step(policy.act(before))
            hits.append(not np.array_equal(before, env.snapshot()))
    assert 0.75 < np.mean(hits) < 0.92
    with pytest.raises(ValueError, match="probability"):
        DragPolicy(hit=2.0)
    assert WatchPolicy().act(env.snapshot()).shape == (0,)


def test_a_wall_reflects_a_place_and_turns_the_velocity_back():
    sprites = np.zeros((4, 10))
    sprites[:, :4] = (
        [0.15, 0.5, -0.1, 0.2],
        [0.85, 0.88, 0.1, 0.1],
        [0.5, 0.12, 0, -0.05],
        4 * [0.5],
    )
    motion = sprites[:, 2:4].copy()
    motion[3] = -2.0
    move(sprites, motion)
    assert sprites[:3, :2] == pytest.approx(np.array([[0.15, 0.7], [0.85, 0.82], [0.5, 0.13]]))
    velocities = [[0.1, 0.2], [-0.1, -0.1], [0.0, 0.05], [-0.5, -0.5]]
    assert sprites[:, 2:4] == pytest.approx(np.array(velocities))
    assert sprites[3, :2] == pytest.approx([0.9, 0.9]), "however hard it was hit"


def test_sprites_start_apart_in_colours_unlike_greys():
    for seed in range(60):
        scene = sample_scene(np.random.default_rng(seed), moving=True)
        sprites = sprites_of(scene)
        gaps = np.linalg.norm(sprites[:, None, :2] - sprites[:, :2], axis=-1)
        assert gaps[~np.eye(len(sprites), dtype=bool)].min() >= 0.26
        assert ((sprites[:, :2] >= 0.1) & (sprites[:, :2] <= 0.9)).all()
        assert (sprites[:, 6:9].max(1) >= 0.6).all()
        assert (sprites[:, 6:9].min(1) <= 0.4 * sprites[:, 6:9].max(1) + 1e-9).all()
        assert (np.abs(sprites[:, 4]) <= np.pi).all()
        assert (scene[2 + 10 * len(sprites) :] == 0).all()
    still = sprites_of(sample_scene(np.random.default_rng(0), moving=False))
    assert not still[:, 2:4].any()


def test_what_is_observed_and_told_is_what_the_scene_says():
    env = MovingSpritesEnv(image_size=32, render_mode="rgb_array")
    for seed in range(6):
        observation, _ = env.reset(seed=seed)
        sprites = sprites_of(env.snapshot())
        poses = np.zeros((3, 4))
        poses[: len(sprites)] = np.stack(
            [*sprites[:, :2].T, np.cos(sprites[:, 4]), np.sin(sprites[:, 4])], 1
        )
        assert observation["observation"].tolist() == poses.ravel().tolist()
        places = np.full((4, 2), 0.5)
        places[1 : len(sprites) + 1] = sprites[:, :2]
        assert env.places().tolist() == places.tolist()
        image = env.render()
        small = image.reshape(32, 8, 32, 8, 3).mean((1, 3))
        assert np.abs(small - observation["image"]).mean() < 3
    assert env.tolerance == RADIUS
    assert MovingSpritesEnv().render() is None


def test_a_click_is_meant_for_any_sprite_or_for_anywhere():
    scene = sample_scene(np.random.default_rng(1), moving=False)
    centres = 2 * sprites_of(scene)[:, :2] - 1
    for hit, share in ((0.0, 0.0), (0.5, 0.5), (1.0, 1.0)):
        policy = DragPolicy(hit)
        policy.reset(np.random.default_rng(0))
        actions = np.stack([policy.act(scene) for _ in range(400)])
        away = np.abs(actions[:, None, :2] - centres).max(-1)
        hits = away.min(1) < 1e-6
        assert hits.mean() == pytest.approx(share, abs=0.08)
        if hits.any():
            assert set(away[hits].argmin(1)) == set(range(len(centres)))
        drawn = actions[~hits] if hit < 1 else actions[:, 2:]
        assert drawn.min(0) == pytest.approx(-1.0, abs=0.05)
        assert drawn.max(0) == pytest.approx(1.0, abs=0.05)
        assert drawn.mean(0) == pytest.approx(0.0, abs=0.15)
