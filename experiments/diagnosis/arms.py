"""The rows of a diagnosis: a checkpoint's entry as it is, and with each part exchanged."""

from __future__ import annotations

from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass, replace

from omegaconf import DictConfig

from armillary.agent.mpc import MPCAgent
from armillary.envs.wrappers import PrivilegedState
from armillary.errors import ArmillaryError
from armillary.experiments.diagnosis.budget import Repeated
from armillary.experiments.diagnosis.exchanged import Strides
from armillary.experiments.diagnosis.true_dynamics import TrueDynamics
from armillary.experiments.diagnosis.true_places import TruePlaces
from armillary.experiments.evaluation.diagnosis.evidence import (
    AS_IS,
    BUDGET,
    COST,
    DYNAMICS,
    TRUTH,
)
from armillary.experiments.planning.entries import Entry, planning_agent
from armillary.experiments.planning.environments import shapes_of
from armillary.experiments.planning.goals import reader_of
from armillary.world_models.oracle import OracleSimulator, Physics
from armillary.world_models.simulator import Simulator

ROUNDS = 10
"""How many times its budget a search is given."""


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

    def rows(self) -> dict[str, Entry]:
        """All rows by name, the first one as it is."""
        model, oracle, physics = self.model, self.oracle, self.physics
        found = {AS_IS: self.agent(model)}
        if oracle is not None and physics is not None:
            found[DYNAMICS] = self.agent(TrueDynamics(model, oracle, physics))
            found[COST] = self.agent(TruePlaces(model, oracle, physics), true_cost=True)
        found[BUDGET] = self.agent(model)
        found[BUDGET].optimizer = Repeated(found[BUDGET].optimizer, ROUNDS)
        if oracle is not None:
            found[TRUTH] = self.agent(oracle, true_cost=True)
        return {name: self._row(name, agent) for name, agent in found.items()}

    def agent(self, simulator: Simulator, true_cost: bool = False) -> MPCAgent:
        """The agent that plans with a simulator and one of both costs."""
        config = self.config
        if true_cost:
            config = copy(config)
            config.objective = self.true_objective
        shapes = shapes_of(self.entry.make_env())
        return planning_agent(simulator, config, shapes, reader_of(config.goal), self.entry.name)

    def _row(self, name: str, agent: MPCAgent) -> Entry:
        make = self.entry.make_env
        if self.oracle is not None:
            make = lambda: PrivilegedState(self.entry.make_env())  # noqa: E731
        times = agent.planning_times
        return replace(
            self.entry,
            name=name,
            agent=agent,
            make_env=make,
            planning_times=times,
            resources=nullcontext(),
        )


def strided(physics: Physics, stride: int) -> Physics:
    """Physics that act as often as a model does."""
    return physics if stride == 1 else Strides(physics, stride)
