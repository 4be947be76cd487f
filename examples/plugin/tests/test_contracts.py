"""Everything in this plug-in keeps the contract of its kind."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
from example_plugin.cost import Brightness
from example_plugin.goal import FurthestOnly
from example_plugin.metric import AbsoluteError
from example_plugin.planner import HillClimbing
from example_plugin.reduction import Quantile
from example_plugin.section import summary
from example_plugin.source import EpisodeFolder
from example_plugin.task import Light, RandomPushes

from armillary import LatentSimulator, WorldModel, build_model, load_model, plugins
from armillary.contracts.cost import DistanceContract
from armillary.contracts.goal import GoalReaderContract
from armillary.contracts.metric import MetricContract
from armillary.contracts.optimizer import OptimizerContract
from armillary.contracts.reduction import ReductionContract
from armillary.contracts.source import SourceContract
from armillary.contracts.task import TaskContract
from armillary.contracts.world_model import WorldModelContract
from armillary.world_models.simulator import Observation

plugins.load(["example_plugin"])


class TestModel(WorldModelContract):
    def make(self) -> WorldModel:
        return build_model("example_plugin", image_size=16, action_size=2)


class TestPlanner(OptimizerContract):
    def make(self, samples: int = 200) -> HillClimbing:
        return HillClimbing(samples=samples)


class TestCost(DistanceContract):
    def make(self) -> Brightness:
        return Brightness()


class TestGoal(GoalReaderContract):
    def make(self) -> FurthestOnly:
        return FurthestOnly()

    def simulator(self) -> LatentSimulator:
        return LatentSimulator(load_model("pretrained/push_blocks"), "cpu")

    def observations(self) -> list[Observation]:
        env = gym.make("armillary/PushBlocks-v0")
        return [env.reset(seed=seed)[0] for seed in range(3)]


class TestReduction(ReductionContract):
    def make(self) -> Quantile:
        return Quantile(0.7)


class TestTask(TaskContract):
    def make(self) -> Light:
        return Light()

    def policies(self) -> list[RandomPushes]:
        return [RandomPushes()]


class TestSource(SourceContract):
    def make(self, folder: Path) -> EpisodeFolder:
        rng = np.random.default_rng(0)
        for index in range(3):
            frames = rng.integers(0, 256, (4, 16, 16, 3), np.uint8)
            np.savez(folder / f"{index}.npz", frames=frames, actions=rng.normal(size=(3, 2)))
        return EpisodeFolder(folder)


class TestMetric(MetricContract):
    def make(self) -> AbsoluteError:
        return AbsoluteError()


def test_section_speaks_of_evaluations_alone() -> None:
    results = {"model": "m", "videos": 3, "rollouts": 5}
    assert "3 videos" in str(summary(Path("run"), "evaluate", results))
    assert summary(Path("run"), "train", {}) is None


def test_every_kind_is_registered() -> None:
    kinds = ("model", "planner", "cost", "goal", "reduction", "task", "source", "metric", "section")
    for kind in kinds:
        assert plugins.find(kind, "example_plugin").plugin == "example_plugin", kind
