"""The rows of a diagnosis: a checkpoint's entry as it is, and with each part exchanged."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from gymnasium import spaces
from omegaconf import DictConfig, OmegaConf

from armillary.agent.mpc import MPCAgent
from armillary.envs.wrappers import PrivilegedState
from armillary.errors import ArmillaryError
from armillary.experiments.command.config import to_dict
from armillary.experiments.command.sweep import command_line
from armillary.experiments.command.verbs import written
from armillary.experiments.diagnosis.budget import Repeated
from armillary.experiments.diagnosis.exchanged import Strides
from armillary.experiments.diagnosis.true_dynamics import TrueDynamics
from armillary.experiments.diagnosis.true_places import TruePlaces
from armillary.experiments.evaluation.diagnosis.evidence import (
    AS_IS,
    BUDGET,
    COST,
    DYNAMICS,
    OTHER,
    TRUTH,
)
from armillary.experiments.planning.entries import Entry, planning_agent, reads_proposals
from armillary.experiments.planning.environments import shapes_of
from armillary.experiments.planning.goals import reader_of
from armillary.planners.optimizer import ActionOptimizer
from armillary.planners.proposals.alone import ProposalsAlone
from armillary.planners.proposals.sources import SHIFTED
from armillary.world_models.oracle import OracleSimulator, Physics
from armillary.world_models.simulator import Simulator

ROUNDS = 10
"""How many times its budget a search is given."""
_SMALL = {"planner": "cem", "planner.samples": 64, "planner.iterations": 3, "planner.elites": 8}
_DISCRETE = {"planner": "categorical_cem"}
_TRUE = (DYNAMICS, COST, TRUTH)
"""Rows in which something is true, which not every planner can be shown."""


@dataclass(frozen=True)
class Exchanges:
    """What can be exchanged of an entry that plans.

    Attributes:
        entry: as it is; its ``simulator`` is the model.
        config: of ``diagnose``.
        true_objective: section of the true cost.
        oracle: the true physics; None where the task has none.
        physics: the same, to be drawn.
    """

    entry: Entry
    config: DictConfig
    true_objective: DictConfig
    oracle: OracleSimulator | None
    physics: Physics | None

    @property
    def model(self) -> Simulator:
        """That is diagnosed.

        Raises:
            ArmillaryError: nothing is planned with.
        """
        if self.entry.simulator is None:
            raise ArmillaryError(f"{self.entry.name} does not plan; there is nothing to diagnose")
        return self.entry.simulator

    def rows(self) -> list[str]:
        """The names of all rows, the first one as it is.

        Raises:
            ArmillaryError: ``instead`` names no search that suits.
        """
        if self.config.instead is not None:
            self.agent(self.model, other=True)
        exchanged = [DYNAMICS, COST] if self.oracle is not None else []
        # More of the same guesses would be no more.
        larger = OTHER if isinstance(self.own_optimizer, ProposalsAlone) else BUDGET
        return [AS_IS, *exchanged, larger, *([TRUTH] if self.oracle is not None else [])]

    def row(self, name: str) -> Entry:
        """A row by its name.

        Raises:
            ArmillaryError: the planner cannot be shown what is true in it.
        """
        return self._row(name, other=name == OTHER)

    def instead(self, name: str) -> Entry:
        """A row by the other search, for a planner that cannot be shown what is true.

        Raises:
            ArmillaryError: it is a row that every planner can be played with.
        """
        if name not in _TRUE:
            raise ArmillaryError(f"{name!r} is played by the planner that was given alone")
        return self._row(name, other=True)

    def agent(self, simulator: Simulator, true_cost: bool = False, other: bool = False) -> MPCAgent:
        """The agent that plans with a simulator.

        Args:
            simulator: that it asks.
            true_cost: instead of the one that was given.
            other: the other search, instead of the one that was given.
        """
        config = copy(self.config)
        if true_cost:
            config.objective = self.true_objective
        if other:
            config.planner = self.other_planner.planner
        shapes = shapes_of(self.entry.make_env())
        return planning_agent(simulator, config, shapes, reader_of(config.goal), self.entry.name)

    @cached_property
    def other_planner(self) -> DictConfig:
        """A configuration whose ``planner`` can be shown what is true, and its name in ``choices``.

        What ``instead`` names; else the planner as it was given without what it reads of recorded
        episodes, if that is all that stands in the way; else a small CEM.
        """
        planner, words = self.config.planner, self.config.instead
        own = self.own_optimizer
        alone = isinstance(own, ProposalsAlone) or getattr(own, "differentiates", False)
        if words is None and reads_proposals(planner) and not alone:
            plain = {**to_dict(planner), "proposals": [SHIFTED], "proposals_from": None}
            name = self.config.choices.planner
            return OmegaConf.create({"planner": plain, "choices": {"planner": name}})
        if words is None:
            space = shapes_of(self.entry.make_env()).action_space
            words = _SMALL if isinstance(space, spaces.Box) else _DISCRETE
        return composed(self.config, words)

    @cached_property
    def own_optimizer(self) -> ActionOptimizer:
        """The planner that was given."""
        return self.agent(self.model).optimizer

    def _row(self, name: str, other: bool = False) -> Entry:
        agent = self.agent(self._simulator(name), name in (COST, TRUTH), other)
        if name == BUDGET:
            agent.optimizer = Repeated(agent.optimizer, ROUNDS)
        make = self.entry.make_env
        if self.oracle is not None:
            make = lambda: PrivilegedState(self.entry.make_env())  # noqa: E731
        return replace(
            self.entry,
            name=name,
            planner=str(self.other_planner.choices.planner) if other else self.entry.planner,
            agent=agent,
            make_env=make,
            planning_times=agent.planning_times,
            resources=nullcontext(),
        )

    def _simulator(self, name: str) -> Simulator:
        oracle, physics = self.oracle, self.physics
        if name == TRUTH and oracle is not None:
            return oracle
        kinds = {DYNAMICS: TrueDynamics, COST: TruePlaces}
        if name in kinds and oracle is not None and physics is not None:
            return kinds[name](self.model, oracle, physics)
        return self.model


def composed(config: DictConfig, words: Mapping[str, Any]) -> DictConfig:
    """A configuration of ``benchmark`` with the plug-ins of another and some words of its own."""
    every = {"plugins": list(config.plugins), **words}
    given = [f"{name}={written(value)}" for name, value in every.items()]
    return command_line()[2].compose("benchmark", given)


def strided(physics: Physics, stride: int) -> Physics:
    """Physics that act as often as a model does."""
    return physics if stride == 1 else Strides(physics, stride)
