"""Builds the entries of a benchmark, which are agents, from the names that a user gives."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import gymnasium as gym
from omegaconf import DictConfig, OmegaConf

from armillary.agent.agent import Agent, NoopAgent, RandomAgent
from armillary.agent.mpc import MPCAgent, PlanningTime
from armillary.envs.wrappers import PrivilegedState, Strided
from armillary.experiments.command.config import build, to_dict
from armillary.experiments.command.errors import UsageError
from armillary.experiments.planning.environments import (
    Shapes,
    environment_of,
    make_environment,
    shapes_of,
)
from armillary.experiments.planning.goals import BY_TASK, posed, reader_of
from armillary.planners.proposals.sources import SOURCES
from armillary.planners.proposals.stored import (
    ABOUT,
    TENSORS,
    beside,
    effector_of,
    find,
)
from armillary.suggestions import suggest
from armillary.world_models.checkpoints.checkpoint import load_model, read_info
from armillary.world_models.checkpoints.locate import WEIGHTS_FILE, bundled_checkpoints
from armillary.world_models.goals.reader import GoalReader
from armillary.world_models.model import WorldModel
from armillary.world_models.oracle import OracleSimulator
from armillary.world_models.simulator import Simulator

log = logging.getLogger(__name__)

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
        planning_times: grows by every planning call.
        resources: closed when it is left.
        stride: steps of the task for each of its actions.
        weights: digest of the weights of a checkpoint, by the name of their file.
    """

    name: str
    planner: str | None
    agent: Agent
    make_env: Callable[[], gym.Env]
    simulator: Simulator | None = None
    success_by: str = BY_TASK
    planning_times: list[PlanningTime] = field(default_factory=list)
    resources: AbstractContextManager[object] = field(default_factory=nullcontext)
    stride: int = 1
    weights: Mapping[str, str] = field(default_factory=dict)


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
        space = shapes_of(plain_env(config)()).action_space
        return Entry(name, None, BASELINES[name](space), make, success_by=judge)
    known = (*BASELINES, ORACLE, *bundled_checkpoints())
    if name not in known and not Path(name).expanduser().exists():
        raise UsageError(f"{name!r} is no directory and no known simulator; {suggest(name, known)}")
    planner = str(config.choices.planner)
    if name == ORACLE:
        if "physics" not in config.task:
            raise UsageError(
                f"task {config.task.name!r} has no oracle: its settings name no physics; leave "
                f"{ORACLE} out"
            )
        if reads_proposals(config.planner):
            raise UsageError(
                f"planner={planner} reads proposals that were learnt from the slots of another "
                f"model than the true physics: leave {ORACLE} out, or take planner=cem, icem or "
                "mppi with planner.proposals=[shifted]"
            )
        particles = config.simulator.get("particles", 1)
        oracle = OracleSimulator(build(config.task.physics), config.workers, particles)
        agent = planning_agent(oracle, config, shapes_of(plain_env(config)()), reader, None)
        if getattr(agent.optimizer, "differentiates", False):
            raise UsageError(
                f"planner={planner} follows gradients, which the true physics do not have: leave "
                f"{ORACLE} out, or take planner=cem, icem or mppi"
            )
        make, judge = posed(privileged_env(config), reader, oracle)
        times = agent.planning_times
        return Entry(name, planner, agent, make, oracle, judge, times, closing(oracle))
    return learned_entry(name, load_model(name, num_slots=config.num_slots), config)


def learned_entry(checkpoint: str, model: WorldModel, config: DictConfig) -> Entry:
    """The entry of a model, which acts as often as it was trained to.

    Args:
        checkpoint: that it was loaded from.
        model: of the checkpoint.
        config: see ``entry_of``.

    Raises:
        UsageError: it does not suit the task.
    """
    info, own = read_info(checkpoint), plain_env(config)
    frameskip = config.task.environment.get("frameskip", 1)
    if info.frameskip != frameskip:
        raise UsageError(
            f"{checkpoint} was trained on frameskip {info.frameskip}, task {config.task.name!r} "
            f"has {frameskip}; set task.environment.frameskip={info.frameskip}"
        )
    acting = own if info.stride == 1 else lambda: Strided(own(), info.stride)
    shapes = shapes_of(acting())
    check_image_size(model, checkpoint, config, shapes)
    simulator = build(config.simulator, model=model)
    reader = reader_of(config.goal)
    agent = planning_agent(simulator, config, shapes, reader, checkpoint)
    make, judge = posed(acting, reader, simulator)
    planner, times = str(config.choices.planner), agent.planning_times
    weights = {WEIGHTS_FILE: info.digests[WEIGHTS_FILE]}
    if (place := proposals_place(config, checkpoint)) is not None:
        folder = find(place)
        weights |= {n: sha256((folder / n).read_bytes()).hexdigest() for n in (ABOUT, TENSORS)}
        learnt, meant = effector_of(place), config.goal.get("effector")
        if None not in (learnt, meant) and learnt != meant:
            log.warning(
                "%s learnt with effector=%s, these plans have goal.effector=%s: what they propose "
                "may suit less; train-proposals effector=%s learns with it",
                *(place, learnt, meant, meant),
            )
    return Entry(
        *(checkpoint, planner, agent, make, simulator, judge, times),
        stride=info.stride,
        weights=weights,
    )


def planning_agent(
    simulator: Simulator,
    config: DictConfig,
    shapes: Shapes,
    reader: GoalReader,
    checkpoint: str | None,
) -> MPCAgent:
    """An MPC agent with the configured search and objective.

    Args:
        simulator: that is asked.
        config: see ``entry_of``.
        shapes: of the task.
        reader: of goals.
        checkpoint: of the model whose proposals are taken unless others are named; None for the
            true physics, which have none.
    """
    place = None if checkpoint is None else proposals_place(config, checkpoint)
    more = {} if place is None else {"proposals_from": place}
    return MPCAgent(
        simulator,
        build(config.objective),
        build(config.planner, **more),
        shapes.action_space,
        config.horizon,
        config.replan_interval,
        reader,
    )


def proposals_place(config: DictConfig, checkpoint: str) -> str | None:
    """Where the configured search reads recorded proposals; None where it reads none.

    Args:
        config: with the planner.
        checkpoint: beside which they lie unless others are named.

    Raises:
        CheckpointError: there is no such checkpoint.
        ProposalsError: none are named, and none lie there.
    """
    if not reads_proposals(config.planner):
        return None
    named = config.planner.proposals_from
    return str(beside(checkpoint) if named is None else named)


def reads_proposals(planner: DictConfig) -> bool:
    """Whether a section's planner reads recorded proposals."""
    names = planner.get("proposals", [*SOURCES])  # a planner that does nothing else names none
    lists = OmegaConf.is_list(names) or isinstance(names, list)
    return "proposals_from" in planner and lists and any(name in names for name in SOURCES)


def check_image_size(
    model: WorldModel, checkpoint: str, config: DictConfig, shapes: Shapes
) -> None:
    """Raises UsageError unless a model was trained on images of the size that the task shows."""
    size = shapes.image_size
    if size is not None and model.image_size != size:
        raise UsageError(
            f"{checkpoint} was trained on images of {model.image_size} px, task "
            f"{config.task.name!r} shows {size} px; set task.environment.image_size"
        )


def plain_env(config: DictConfig) -> Callable[[], gym.Env]:
    """Makes the task's environment; with ``play_on`` as episodes are recorded in it.

    Raises:
        UsageError: the task's settings lack the id or the number of steps.
    """
    if "max_steps" not in config.task:
        raise UsageError(f"the settings of task {config.task.name!r} must have 'max_steps'")
    environment, steps = environment_of(config), config.task.max_steps
    if config.get("play_on"):
        environment |= to_dict(config.task.get("recording") or OmegaConf.create())
    return lambda: make_environment(environment, steps)


def privileged_env(config: DictConfig) -> Callable[[], gym.Env]:
    """Makes the task's environment with the physics state in its observations."""
    make = plain_env(config)
    return lambda: PrivilegedState(make())
