"""Problems: at rest, in sight, unsolved, and of the kind that was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from armillary.envs.stack_blocks.factors import CAMERAS, Factors
from armillary.envs.stack_blocks.layout import sample_problem
from armillary.envs.stack_blocks.physics import settled
from armillary.envs.stack_blocks.scene import Scene, camera_of, positions_of
from armillary.envs.stack_blocks.success import distances
from armillary.errors import ArmillaryError


def problems(count: int, seeds: int) -> list[tuple[Scene, Scene]]:
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        factors = Factors.sample(rng, (count, count), "near", (), {})
        found.append(sample_problem(rng, factors, count))
    return found


@pytest.mark.parametrize(("count", "seeds"), [(1, 20), (2, 20), (3, 20), (9, 4)])
def test_scenes_are_at_rest_and_in_sight(count: int, seeds: int) -> None:
    for scene in (scene for problem in problems(count, seeds) for scene in problem):
        assert positions_of(settled(scene)) == pytest.approx(positions_of(scene), abs=0.01)
        places = camera_of(scene).project(positions_of(scene))
        assert ((places > 0.03) & (places < 0.97)).all()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_all_of_a_few_blocks_are_to_be_moved(count: int) -> None:
    found = problems(count, 40)
    for start, goal in found:
        assert distances(start, goal).min() > 0.6
        assert (positions_of(start)[:, 2] < 0.5).all()
    stacked = np.mean([positions_of(goal)[:, 2].max() > 1.0 for _, goal in found])
    assert 0.2 < stacked < 0.9 if count > 1 else stacked == 0.0


def test_one_of_many_blocks_is_to_be_moved() -> None:
    found = problems(7, 6)
    assert np.mean([positions_of(start)[:, 2].max() > 1.0 for start, _ in found]) > 0.5
    for start, goal in found:
        moved = distances(start, goal) > 0.3
        assert moved.sum() == 1


def test_any_block_may_be_on_top() -> None:
    tops = [int(positions_of(goal)[:, 2].argmax()) for _, goal in problems(3, 40)]
    assert {*tops} == {0, 1, 2}


def test_blocks_that_do_not_fit_are_told() -> None:
    factors = Factors((0.9,) * 9, ((0.0, 0.0, 0.0),) * 9, CAMERAS["near"])
    with pytest.raises(ArmillaryError, match=r"no problem was found for blocks .*0\.9"):
        sample_problem(np.random.default_rng(0), factors, 9)
