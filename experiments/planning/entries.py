"""Builds the entries of a benchmark, which are agents, from the names that a user gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import gymnasium as gym
from omegaconf import DictConfig

from armillary.agent.agent import Agent, NoopAgent, RandomAgent
from armillary.agent.mpc import MPCAgent
from armillary.envs.wrappers import PrivilegedState
from armillary.experiments.command.config import build, to_dict
from armillary.experiments.command.errors import UsageError
from armillary.experiments.planning.environments import make_environment
from armillary.experiments.planning.goals import BY_TASK, posed, reader_of
from armillary.suggestions import suggest
from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.checkpoints.locate import bundled_checkpoints
from armillary.world_models.goals.reader import GoalReader
from armillary.world_models.oracle import OracleSimulator
from armillary.world_models.simulator import Simulator

BASELINES = {"noop": NoopAgent, "random": RandomAgent}
ORACLE = "oracle"


@dataclass(frozen=True)
class Entry:
    """A row of a benchmark: an agent and what it needs to play.

    Attributes:
        name: as the user gave it.
        planner: name of its search, None for an agent that does not plan.
        agent: the agent.
        make_env: its environment; the problems are the same for all.
        simulator: that it plans with, None for an agent that does not plan.
        success_by: what success is judged by, see ``goals``.
        plan_seconds: grows by the seconds per episode of every planning call.
        resources: closed when it is left.
    """

    name: str
    planner: str | None
    agent: Agent
    make_env: Callable[[], gym.Env]
    simulator: Simulator | None = None
    success_by: str = BY_TASK
    plan_seconds: Sequence[float] = ()
    resources: AbstractContextManager[object] = field(default_factory=nullcontext)


def entry_of(name: str, config: DictConfig) -> Entry:
    """The entry of a name: ``random``, ``noop``, ``oracle`` or a checkpoint.

    Args:
        name: of a baseline, the oracle, a bundled checkpoint or a run's directory.
        config: with task, planner, objective, simulator, num_slots, goal, horizon,
            replan_interval and workers.

    Raises:
        CheckpointError: the checkpoint is damaged.
        UsageError: the name is unknown, the model does not suit the task, or a setting its class.
    """
    reader = reader_of(config.goal)
    if name in BASELINES:
        make, judge = posed(plain_env(config), reader, None)
        return Entry(name, None, BASELINES[name](action_space(config)), make, success_by=judge)
    known = (*BASELINES, ORACLE, *bundled_checkpoints())
    if name not in known and not Path(name).expanduser().exists():
        raise UsageError(f"{name!r} is no directory and no known simulator; {suggest(name, known)}")
    planner = str(config.choices.planner)
    if name == ORACLE:
        oracle = OracleSimulator(build(config.task.physics), workers=config.workers)
        agent = planning_agent(oracle, config, reader)
        make, judge = posed(privileged_env(config), reader, oracle)
        seconds = agent.plan_seconds
        return Entry(name, planner, agent, make, oracle, judge, seconds, closing(oracle))
    simulator = latent_simulator(name, config)
    agent = planning_agent(simulator, config, reader)
    make, judge = posed(plain_env(config), reader, simulator)
    return Entry(name, planner, agent, make, simulator, judge, agent.plan_seconds)


def planning_agent(simulator: Simulator, config: DictConfig, reader: GoalReader) -> MPCAgent:
    """An MPC agent with the configured search and objective."""
    return MPCAgent(
        simulator,
        build(config.objective),
        build(config.planner),
        action_space(config),
        config.horizon,
        config.replan_interval,
        reader,
    )


def latent_simulator(checkpoint: str, config: DictConfig) -> Simulator:
    """A learned model behind the simulator interface.

    Raises:
        UsageError: it was trained on images of another size than the task's.
    """
    model = load_model(checkpoint, num_slots=config.num_slots)
    size = config.task.environment.image_size
    if model.image_size != size:
        raise UsageError(
            f"{checkpoint} was trained on images of {model.image_size} px, task "
            f"{config.task.name!r} shows {size} px; set task.environment.image_size"
        )
    return build(config.simulator, model=model)


def plain_env(config: DictConfig) -> Callable[[], gym.Env]:
    """Makes the task's environment."""
    environment, steps = to_dict(config.task.environment), config.task.max_steps
    return lambda: make_environment(environment, steps)


def privileged_env(config: DictConfig) -> Callable[[], gym.Env]:
    """Makes the task's environment with the physics state in its observations."""
    make = plain_env(config)
    return lambda: PrivilegedState(make())


def action_space(config: DictConfig) -> gym.spaces.Box:
    """The task's action space."""
    env = plain_env(config)()
    space = env.action_space
    env.close()
    assert isinstance(space, gym.spaces.Box), f"a task's actions form a Box, got {space}"
    return space
