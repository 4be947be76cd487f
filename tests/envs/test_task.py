"""Our environments keep the contract of what is recorded, and those with goals that of tasks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from armillary.contracts.task import RecordableContract, SimulatedContract, TaskContract
from armillary.envs.moving_sprites.environment import MovingSpritesEnv
from armillary.envs.moving_sprites.policies import DragPolicy, WatchPolicy
from armillary.envs.push_blocks.environment import PushBlocksEnv
from armillary.envs.push_blocks.policies import MixedPolicy, PushPolicy, RandomPolicy
from armillary.envs.sprite_goals.environment import SpriteGoalsEnv
from armillary.envs.sprite_goals.policies import MovePolicy
from armillary.envs.stack_blocks.environment import StackBlocksEnv
from armillary.envs.stack_blocks.policies import StackPolicy
from armillary.envs.task import Policy, Posed, Recordable, Simulated, Task
from armillary.envs.towel_pick.environment import TowelPickEnv
from armillary.envs.towel_pick.policies import TowelPolicy


class TestPushBlocks(TaskContract, SimulatedContract):
    def make(self) -> PushBlocksEnv:
        return PushBlocksEnv()

    def policies(self) -> Sequence[Policy]:
        return [PushPolicy(), RandomPolicy(), MixedPolicy()]


class TestPushBlocksWithRegions(TaskContract, SimulatedContract):
    def make(self) -> PushBlocksEnv:
        return PushBlocksEnv(keep_clear=[[0.2, 0.4, 0.4, 0.6], [0.6, 0.4, 0.8, 0.6]])

    def policies(self) -> Sequence[Policy]:
        return [PushPolicy(), RandomPolicy(), MixedPolicy()]


class TestPushBlocksWithWalls(TaskContract, SimulatedContract):
    def make(self) -> PushBlocksEnv:
        walls = [[0.36, 0.47, 0.64, 0.53], [0.47, 0.53, 0.53, 0.68]]
        return PushBlocksEnv(image_size=64, num_blocks=2, walls=walls)

    def policies(self) -> Sequence[Policy]:
        return [PushPolicy(), RandomPolicy(), MixedPolicy()]


class TestNoisyPushBlocks(TaskContract):
    def make(self) -> PushBlocksEnv:
        return PushBlocksEnv(action_noise=0.05, image_size=64)


class TestMovingSprites(RecordableContract):
    def make(self) -> MovingSpritesEnv:
        return MovingSpritesEnv(image_size=32)

    def policies(self) -> Sequence[Policy]:
        return [WatchPolicy()]


class TestDraggedSprites(RecordableContract):
    def make(self) -> MovingSpritesEnv:
        return MovingSpritesEnv(action_conditional=True)

    def policies(self) -> Sequence[Policy]:
        return [DragPolicy()]


class TestSpriteGoals(TaskContract, SimulatedContract):
    def make(self) -> SpriteGoalsEnv:
        return SpriteGoalsEnv(noise=0.0)

    def policies(self) -> Sequence[Policy]:
        return [MovePolicy()]


class TestDriftingSprites(TaskContract):
    def make(self) -> SpriteGoalsEnv:
        return SpriteGoalsEnv(image_size=96, num_sprites=5, fewest_sprites=2, drift=0.02)

    def policies(self) -> Sequence[Policy]:
        return [MovePolicy(hit=1.0)]


class TestStackBlocks(TaskContract, SimulatedContract):
    def make(self) -> StackBlocksEnv:
        return StackBlocksEnv()

    def policies(self) -> Sequence[Policy]:
        return [StackPolicy()]


class TestStackedWithHeights(TaskContract, SimulatedContract):
    def make(self) -> StackBlocksEnv:
        return StackBlocksEnv(
            image_size=96, num_blocks=5, heights=True, vary=["colors", "sizes", "camera"]
        )

    def policies(self) -> Sequence[Policy]:
        return [StackPolicy(heights=True)]


class TestTowelPick(TaskContract, SimulatedContract):
    def make(self) -> TowelPickEnv:
        return TowelPickEnv(action_noise=0.0)

    def policies(self) -> Sequence[Policy]:
        return [TowelPolicy(), TowelPolicy(push=0.0, pick=0.0)]


class TestTowelLift(TaskContract, SimulatedContract):
    def make(self) -> TowelPickEnv:
        return TowelPickEnv(
            image_size=96,
            num_objects=5,
            problems="lift",
            action_noise=0.0,
            vary=["shapes", "sizes", "colors", "camera"],
        )

    def policies(self) -> Sequence[Policy]:
        return [TowelPolicy(push=0.0, pick=1.0)]


class TestNoisyTowelPick(TaskContract):
    def make(self) -> TowelPickEnv:
        return TowelPickEnv()


def problem_of(task: Task, seed: int) -> float:
    return float(task.reset(seed=seed)[1]["distance"])


def test_environments_are_of_the_protocols_types() -> None:
    """pyright reads this file too."""
    recordable: list[Recordable] = [PushBlocksEnv(), MovingSpritesEnv()]
    assert {core.segmentation().ndim for core in recordable} == {2}
    assert problem_of(PushBlocksEnv(), 0) > 0


def test_a_problem_that_is_posed_is_there() -> None:
    env = PushBlocksEnv()
    posed: Posed = env
    simulated: Simulated = env
    env.reset(seed=0)
    scene, goal = simulated.goal_scene, simulated.snapshot()
    posed.pose(scene, goal)
    assert np.array_equal(simulated.snapshot(), scene)
    assert np.array_equal(simulated.goal_scene, goal)
