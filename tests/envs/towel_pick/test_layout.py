"""Problems: one object has to be moved, all are seen, and the goal is a state of rest."""

from __future__ import annotations

import numpy as np
import pytest

from armillary.envs.towel_pick.factors import CAMERAS, Factors
from armillary.envs.towel_pick.layout import hidden, sample_problem
from armillary.envs.towel_pick.physics import simulate
from armillary.envs.towel_pick.scene import Scene, gripper_of, positions_of
from armillary.errors import ArmillaryError
from tests.envs.towel_pick.scenes import objects_at


def problems(kind: str, seeds: int, count: int = 4) -> list[tuple[Scene, Scene]]:
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        factors = Factors.sample(rng, (count, count), "front", (), {})
        found.append(sample_problem(rng, factors, count, kind))
    return found


@pytest.mark.parametrize("kind", ["push", "lift"])
def test_one_object_is_to_be_moved_and_all_are_seen_and_rest(kind: str) -> None:
    for start, goal in problems(kind, 12):
        apart = np.linalg.norm(positions_of(start) - positions_of(goal), axis=1)
        assert ((apart > 0.1).sum(), (apart < 0.01).sum()) == (1, 3)
        for scene in (start, goal):
            assert not hidden(scene)
            later = simulate(scene, np.zeros((5, 4)))[-1]
            assert positions_of(later) == pytest.approx(positions_of(scene), abs=0.008)


def test_a_push_stays_on_the_floor_and_the_gripper_is_up_again() -> None:
    for start, goal in problems("push", 12):
        assert positions_of(goal)[:, 2].max() < 0.05
        assert min(gripper_of(start)[2], gripper_of(goal)[2]) > 0.12
        assert gripper_of(start)[3:].max() < 0.01


def test_a_lift_holds_its_object_up() -> None:
    for start, goal in problems("lift", 12):
        raised = positions_of(goal)[:, 2] - positions_of(start)[:, 2]
        index = int(raised.argmax())
        assert raised[index] > 0.09
        held = positions_of(goal)[index] - gripper_of(goal)[:3]
        assert np.abs(held).max() < 0.05


def test_what_the_gripper_hides_is_told() -> None:
    assert hidden(objects_at((0.0, 0.1), (0.15, -0.1), gripper=(0.0, -0.02, 0.05))) == [0]


def test_objects_that_do_not_fit_are_told() -> None:
    factors = Factors(("box",) * 6, (0.09,) * 6, ((0.0, 0.0, 0.0),) * 6, CAMERAS["front"])
    with pytest.raises(ArmillaryError, match=r"no problem was found for objects .*0\.09"):
        sample_problem(np.random.default_rng(0), factors, 6, "push")
