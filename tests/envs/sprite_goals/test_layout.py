"""Problems of SpriteGoals: everything is to be seen, and nothing is at its place yet."""

from __future__ import annotations

import numpy as np
import pytest

from armillary.envs.moving_sprites.scene import SPRITE, scene_size, sprites_of
from armillary.envs.sprite_goals import layout
from armillary.envs.sprite_goals.factors import Factors
from armillary.envs.sprite_goals.layout import sample_problem, seen
from armillary.errors import ArmillaryError


def drawn(seed: int, count: int, **options: object) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return sample_problem(rng, Factors.sample(rng, (count, count), options), 6)


@pytest.mark.parametrize("count", [1, 3, 6])
def test_every_sprite_is_seen_and_belongs_elsewhere(count: int) -> None:
    hidden = 0
    for seed in range(25):
        start, goal = drawn(seed, count)
        assert start.shape == goal.shape == (scene_size(6),)
        here, there = sprites_of(start), sprites_of(goal)
        assert np.array_equal(here[:, 4:], there[:, 4:])
        assert (np.linalg.norm(here[:, :2] - there[:, :2], axis=1) >= 0.15).all()
        for scene in (start, goal):
            assert ((sprites_of(scene)[:, :2] >= 0.1) & (sprites_of(scene)[:, :2] <= 0.9)).all()
            assert seen(scene).min() >= 0.5
            hidden += seen(scene).min() < 0.8
            assert not scene[2 + count * SPRITE :].any()
    assert (hidden > 5) == (count > 1), "sprites hide parts of one another"


def test_a_hidden_sprite_is_not_seen() -> None:
    start, _ = drawn(0, 2, shapes=["disc", "disc"], sizes=[0.08, 0.1])
    sprites_of(start)[:, :2] = 0.5
    assert seen(start) == pytest.approx([0.0, 1.0], abs=0.05)


def test_sprites_for_which_there_is_no_room_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "_ATTEMPTS", 20)
    rng = np.random.default_rng(0)
    factors = Factors.sample(rng, (6, 6), {"sizes": [0.15] * 6, "shapes": ["square"] * 6})
    crowd = Factors(factors.shapes * 5, factors.sizes * 5, factors.colors * 5, 0.5)
    with pytest.raises(ArmillaryError, match="found no room for sprites of sizes"):
        sample_problem(rng, crowd, 30)
