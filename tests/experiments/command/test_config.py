"""Every YAML composes, and what it configures can be constructed and run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from armillary.experiments.command.config import (
    CONF,
    build,
    choices,
    compose,
    groups,
    to_dict,
    verbs,
)
from armillary.experiments.command.errors import UsageError
from armillary.experiments.planning.entries import privileged_env
from armillary.experiments.planning.recording import record
from armillary.experiments.verbs.collect import recipe_of
from armillary.experiments.verbs.demo import jobs_of
from armillary.experiments.verbs.train import trainer_settings
from armillary.planners.optimizer import Bounds
from armillary.world_models.data import DataError
from armillary.world_models.oracle import OracleSimulator
from armillary.world_models.registry import build_model
from armillary.world_models.training.config import TrainerConfig


def check_task(choice: str) -> None:
    config = compose("collect", [f"task={choice}"])
    assert config.task.name == choice
    for policy in to_dict(config.task.policies):
        episode = record(recipe_of(OmegaConf.merge(config, {"policy": policy, "length": 3})), 0)
        assert len(episode.frames) == 3


def check_model(choice: str) -> None:
    values = to_dict(compose("train", [f"model={choice}"]).model)
    assert build_model(values.pop("name"), image_size=32, action_size=2, **values)


EVALUATIONS = {"accuracy": "evaluate", "diversity": "evaluate", "realism": "generate"}


def check_experiment(choice: str) -> None:
    kind = choice.split("/")[-2]
    if kind in EVALUATIONS:
        check_evaluation(EVALUATIONS[kind], choice)
        return
    config = compose("train", [f"experiment={choice}"])
    settings = trainer_settings(config)
    values = to_dict(config.model)
    model = build_model(values.pop("name"), image_size=32, action_size=2, **values)
    for stage in settings.stages:
        model.check_objective(stage.objective)


def check_evaluation(verb: str, choice: str) -> None:
    """It says all but the checkpoint and the data, in keys that the verb has."""
    config, plain = compose(verb, [f"experiment={choice}"]), compose(verb, [])
    assert set(config) == set(plain)
    assert OmegaConf.missing_keys(config) == {"checkpoint", "data.path"}
    assert config.rollouts * (config.videos or 1) >= 100
    assert choices("experiment").count(choice.replace(f"/{choice.split('/')[-2]}", "")) == 1


def check_planner(choice: str) -> None:
    optimizer = build(compose("plan", [f"planner={choice}"]).planner)
    init, bounds = torch.full((1, 3, 2), 0.9), Bounds(-torch.ones(2), torch.ones(2))
    plan = optimizer.optimize(
        lambda actions: actions.square().sum((-1, -2)), init, bounds, [torch.Generator()]
    )
    assert float(plan.cost) < 0.5 * float(init.square().sum())


def check_objective(choice: str) -> None:
    config = compose("plan", [f"objective={choice}"])
    simulator = OracleSimulator(build(config.task.physics), workers=0)
    observation, _ = privileged_env(config)().reset(seed=0)
    state = simulator.encode([[observation]], np.zeros((1, 0, 2), np.float32))
    goal = simulator.goal(state, [observation])
    scores = build(config.objective)(simulator.rollout(state, torch.zeros(1, 2, 3, 2)), goal)
    assert scores.total.shape == (1, 2)
    assert bool((scores.total > 0).all())


def check_simulator(choice: str) -> None:
    config = compose("plan", [f"simulator={choice}"])
    model = build_model("slot_dynamics", image_size=32, action_size=2, num_slots=3)
    assert build(config.simulator, model=model).context_length == model.context_length


def check_size(choice: str) -> None:
    assert [job.verb for job in jobs_of(compose("demo", [f"size={choice}"]))]


def check_source(choice: str) -> None:
    config = compose("convert", [f"source={choice}"])
    source = build(config.source, path=Path("nowhere"))
    assert source.name == config.source.name == choice
    with pytest.raises(DataError, match="there is no such"):
        source.parts()


def check_part(group: str, choice: str) -> None:
    line = f"- /{group}@_global_: {choice}\n"
    users = [path for path in CONF.glob("experiment/**/*.yaml") if line in path.read_text()]
    assert users, "what experiments are made of is tried through them"


CHECKS: dict[str, Callable[[str], None]] = {
    "task": check_task,
    "model": check_model,
    "experiment": check_experiment,
    "planner": check_planner,
    "objective": check_objective,
    "simulator": check_simulator,
    "size": check_size,
    "source": check_source,
    "curriculum": partial(check_part, "curriculum"),
    "protocol": partial(check_part, "protocol"),
}
GROUPED = [(group, choice) for group in groups() for choice in choices(group)]


@pytest.mark.parametrize(("group", "choice"), GROUPED, ids="/".join)
def test_every_choice_of_every_group_is_usable(group: str, choice: str) -> None:
    CHECKS[group](choice)


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_composes(verb: str) -> None:
    config = compose(verb, [])
    assert OmegaConf.select(config, "seed") is not None
    assert "output" in config


SMALL = [choice for choice in choices("model") if choice.startswith("small/")]


@pytest.mark.parametrize("choice", SMALL)
def test_small_models_are_small(choice: str) -> None:
    sizes = {}
    for size in (choice, choice.removeprefix("small/")):
        values = to_dict(compose("train", [f"model={size}"]).model)
        model = build_model(values.pop("name"), image_size=32, action_size=2, **values)
        sizes[size] = sum(parameter.numel() for parameter in model.parameters())
    small, published = sizes.values()
    assert small < published / 2


def test_all_yamls_are_covered() -> None:
    found = {p.relative_to(CONF).with_suffix("").as_posix() for p in CONF.rglob("*.yaml")}
    assert found == {*verbs(), *("/".join(pair) for pair in GROUPED)}


def test_trainer_options_are_the_trainers() -> None:
    own = {"batch_size"}
    from_elsewhere = {"seed"}
    names = {field.name for field in fields(TrainerConfig)}
    assert set(compose("train", []).trainer) - own == names - from_elsewhere


def test_batch_size_replaces_that_of_every_stage() -> None:
    default = trainer_settings(compose("train", []))
    assert len({stage.batch_size for stage in default.stages}) > 1
    changed = trainer_settings(compose("train", ["trainer.batch_size=7"]))
    assert {stage.batch_size for stage in changed.stages} == {7}


def test_one_stage_can_be_changed() -> None:
    words = ["trainer.stages.discovery.batch_size=3", "trainer.stages.discovery.warmup=0.2"]
    stages = trainer_settings(compose("train", words)).stages
    assert (stages[0].batch_size, stages[0].warmup) == (3, 0.2)
    assert stages[1].warmup != 0.2


def test_unlisted_parameter_of_a_class_can_be_set() -> None:
    config = compose("train", ["model.content_size=16"])
    assert config.model.content_size == 16


def test_wrong_value_of_a_class_is_a_mistake_of_the_user() -> None:
    section = OmegaConf.create(
        {"_target_": "armillary.envs.push_blocks.policies.MixedPolicy", "scripted": 2.0}
    )
    assert isinstance(section, DictConfig)
    with pytest.raises(UsageError, match="scripted must be a probability"):
        build(section)


def test_task_recommends_what_is_left_out() -> None:
    recommended = compose("plan", []).task.recommended
    assert compose("plan", []).choices.planner == recommended.planner
    assert compose("plan", ["planner=random_shooting"]).choices.planner == "random_shooting"
    assert compose("plan", ["planner=random_shooting"]).choices.objective == recommended.objective


def test_resolved_configuration_holds_the_defaults_of_classes() -> None:
    cem = compose("plan", ["planner=cem", "planner.samples=7"]).planner
    assert (cem.samples, cem.momentum) == (7, 0.0)


def test_a_strategy_may_take_the_place_of_its_name() -> None:
    words = ["objective.time={_target_: armillary.planners.reductions.Discounted, gamma: 0.5}"]
    assert build(compose("plan", words).objective)
