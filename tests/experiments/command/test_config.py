"""Every YAML composes, and what it configures can be constructed and run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from armillary.errors import ArmillaryError
from armillary.experiments.command.config import (
    CONF,
    build,
    choices,
    compose,
    loader_of,
    to_dict,
    verbs,
)
from armillary.experiments.command.errors import UsageError
from armillary.experiments.planning.entries import plain_env, privileged_env
from armillary.experiments.planning.goals import reader_of
from armillary.experiments.planning.recording import record
from armillary.experiments.suites import table
from armillary.experiments.verbs.collect import recipe_of
from armillary.experiments.verbs.demo import jobs_of
from armillary.experiments.verbs.train import trainer_settings
from armillary.planners.optimizer import Bounds
from armillary.planners.proposals.stored import FOLDER
from armillary.planners.states.object_cem import ObjectCEM
from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.checkpoints.locate import BUNDLED_ROOT
from armillary.world_models.data import DataError
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.oracle import OracleSimulator
from armillary.world_models.registry import build_model
from armillary.world_models.training.config import TrainerConfig
from tests.planners.test_every_planner import posed

WORDS_OF_TASKS = {
    "image_goal": [
        "environment=tests.envs.toys:toys/Walk-v0",
        "task.environment.action_bounds=[-1,1]",
    ]
}
"""What a task needs beside its name."""


def check_task(choice: str) -> None:
    words = WORDS_OF_TASKS.get(choice, [])
    config = compose("collect", [f"task={choice}", *words])
    assert config.task.name == choice
    for policy in [*config.task.get("policies", []), "random"]:
        episode = record(recipe_of(OmegaConf.merge(config, {"policy": policy, "length": 3})), 0)
        assert len(episode.frames) == 3


def check_model(choice: str) -> None:
    values = to_dict(compose("train", [f"model={choice}"]).model)
    values |= {"image_size": 64, "action_size": 2}
    assert build_model(values.pop("name"), **values)


def check_training(choice: str) -> None:
    config = compose("train", [f"experiment={choice}"])
    settings = trainer_settings(config)
    values = to_dict(config.model)
    values |= {"image_size": 64, "action_size": 4}
    model = build_model(values.pop("name"), **values)
    for stage in settings.stages:
        model.check_objective(stage.objective)


def check_evaluation(verb: str, choice: str) -> None:
    """It says all but the checkpoint and the data, in keys that the verb has."""
    config, plain = compose(verb, [f"experiment={choice}"]), compose(verb, [])
    assert set(config) == set(plain)
    assert OmegaConf.missing_keys(config) == {"checkpoint", "data.path"}
    assert config.rollouts * (config.videos or 1) >= 100
    dataset, _, model = choice.split("/")
    assert f"{dataset}/{model}" in choices("train", "experiment")


def check_planner(choice: str) -> None:
    if choice == "cma_es":
        pytest.importorskip("cma")
    learnt = BUNDLED_ROOT / "push_blocks" / FOLDER
    if choice in ("inverse_dynamics", "retrieval") and not learnt.is_dir():
        pytest.skip("the bundled checkpoint has no proposals yet")
    optimizer = build(compose("plan", [f"planner={choice}"]).planner)
    init = torch.full((1, 3, 2), 0.9)
    choices = (3, 3) if choice == "categorical_cem" else ()
    asked = posed(LatentSimulator(load_model("pretrained/push_blocks"), device="cpu"), 1)
    bounds = Bounds(-torch.ones(2), torch.ones(2), choices)
    if isinstance(optimizer, ObjectCEM):  # which this model does not suit
        with pytest.raises(ArmillaryError, match="not tell where in the scene things are"):
            optimizer.optimize(asked, init, bounds, asked.generators)
        return
    plan = optimizer.optimize(asked, init, bounds, asked.generators)
    assert float(plan.cost) < float(asked(init.unsqueeze(1)))


def check_objective(choice: str) -> None:
    # which tell places in the scene
    tells = {"in_space": "towel_pick", "reach": "towel_pick", "readout": "stack_blocks"}
    task = tells.get(choice, "push_blocks")
    config = compose("plan", [f"task={task}", f"objective={choice}"])
    simulator = OracleSimulator(build(config.task.physics), workers=0)
    if choice == "disagreement":
        model = build_model("slot_dynamics", image_size=32, action_size=2, num_slots=5, ensemble=2)
        simulator = LatentSimulator(model, "cpu", particles=2)
    env = privileged_env(config)()
    observation, _ = env.reset(seed=0)
    size = env.action_space.shape[0]
    history = [observation] * simulator.context_length
    state = simulator.encode([history], np.zeros((1, len(history) - 1, size), np.float32))
    goal = simulator.goal(state, [observation])
    scores = simulator.score(state, torch.zeros(1, 2, 3, size), build(config.objective), goal)
    assert scores.shape == (1, 2)
    assert bool((scores > 0).all())


def check_goal(choice: str) -> None:
    words = [f"goal={choice}"]
    if choice == "object":
        words += ["goal.items=[{color: red, to: [0.7, 0.3]}]"]
    reader = reader_of(compose("plan", words).goal)
    assert reader.own_problem == (choice == "object")


def check_simulator(choice: str) -> None:
    config = compose("plan", [f"simulator={choice}"])
    model = build_model("slot_dynamics", image_size=32, action_size=2, num_slots=3)
    assert build(config.simulator, model=model).context_length == model.context_length


def check_size(choice: str) -> None:
    assert [job.verb for job in jobs_of(compose("demo", [f"size={choice}"]))]


def check_recipe(choice: str) -> None:
    """It is what the demo of the task of its name does, all stages in the bounds that it says."""
    config = compose("demo", [f"task={choice}"])
    assert config.choices.recipe == choice
    train = next(job.config for job in jobs_of(config) if job.verb == "train")
    stages = trainer_settings(train).stages
    assert all(stage.steps and stage.fraction for stage in stages)
    assert {*config.train.trainer.stages} == {*train.trainer.stages}


def check_source(choice: str) -> None:
    config = compose("convert", [f"source={choice}"])
    source = build(config.source, path=Path("nowhere"))
    assert source.name == config.source.name == choice
    with pytest.raises(DataError, match="there is no such"):
        source.parts()


def check_suite(choice: str) -> None:
    jobs, _ = table.jobs_of(compose("benchmark", [f"suite={choice}"]), ["workers=0"], loader_of())
    assert len(jobs) >= 4


CHECKS: dict[str, Callable[[str], None]] = {
    "task": check_task,
    "model": check_model,
    "planner": check_planner,
    "objective": check_objective,
    "goal": check_goal,
    "simulator": check_simulator,
    "size": check_size,
    "recipe": check_recipe,
    "source": check_source,
    "suite": check_suite,
}
VERBS = {
    "task": "collect",
    "model": "train",
    "size": "demo",
    "recipe": "demo",
    "source": "convert",
    "suite": "benchmark",
}
GROUPED = [
    (group, choice) for group in CHECKS for choice in choices(VERBS.get(group, "plan"), group)
]


def covering(verb: str) -> Iterator[tuple[str, str]]:
    """Experiments with each data set, each protocol and each model, and all that have a YAML.

    Every model is tried on two data sets, since it has two sizes.
    """
    seen: set[tuple[int, str]] = set()
    for name in choices(verb, "experiment"):
        parts = set(enumerate(name.split("/")))
        both = verb == "train" and name.startswith(("bair_actions/", "push_blocks/"))
        if both or not parts <= seen or (CONF / f"experiment/{verb}/{name}.yaml").is_file():
            yield verb, name
            seen |= parts


EXPERIMENTS = [pair for verb in ("train", "evaluate", "generate") for pair in covering(verb)]


@pytest.mark.parametrize(("group", "choice"), GROUPED, ids=["/".join(pair) for pair in GROUPED])
def test_every_choice_of_every_group_is_usable(group: str, choice: str) -> None:
    CHECKS[group](choice)


@pytest.mark.parametrize(
    ("verb", "choice"), EXPERIMENTS, ids=[" ".join(pair) for pair in EXPERIMENTS]
)
def test_every_experiment_is_usable(verb: str, choice: str) -> None:
    if verb == "train":
        check_training(choice)
    else:
        check_evaluation(verb, choice)


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_composes(verb: str) -> None:
    config = compose(verb, [])
    assert OmegaConf.select(config, "seed") is not None
    assert "output" in config


SMALL = [choice for choice in choices("train", "model") if choice.startswith("small/")]


@pytest.mark.parametrize("choice", SMALL)
def test_small_models_are_small(choice: str) -> None:
    sizes = {}
    for size in (choice, choice.removeprefix("small/")):
        values = to_dict(compose("train", [f"model={size}"]).model)
        values |= {"image_size": 32, "action_size": 2}
        model = build_model(values.pop("name"), **values)
        sizes[size] = sum(parameter.numel() for parameter in model.parameters())
    small, published = sizes.values()
    assert small < published / 2


def test_all_yamls_are_tried_and_few() -> None:
    """Those of a group as its choices, parts of experiments through an experiment."""
    files = {p.relative_to(CONF).with_suffix("").as_posix() for p in CONF.rglob("*.yaml")}
    direct = {*verbs(), *("/".join(pair) for pair in GROUPED)}
    parts = {name for name in files - direct}
    assert {name.split("/")[0] for name in parts} == {
        "curriculum",
        "dataset",
        "experiment",
        "protocol",
    }
    grows = ("planner/", "suite/", "task/", "dataset/", "recipe/", "experiment/")  # with worlds
    many = {name for name in files if name.startswith(grows)}
    assert len(files - {*verbs()} - many) <= 42


def test_every_published_experiment_is_there() -> None:
    models = ("op3", "sdvae", "sdvae_davos", "ssm", "vrnn", "vrnn_star")
    data = ("bair_action_free", "bair_actions", "moving_sprites", "planning")
    assert {f"{d}/{m}" for d in data for m in models} <= {*choices("train", "experiment")}
    protocols = {"accuracy": "evaluate", "diversity": "evaluate", "realism": "generate"}
    for protocol, verb in protocols.items():
        wanted = {f"{d}/{protocol}/{m}" for d in data for m in models}
        assert wanted <= {*choices(verb, "experiment")}


@pytest.mark.parametrize(
    ("experiment", "settings"),
    [
        ("bair_actions/sdvae", {"trainer.stages.frames_10.batch_size": 8, "schedule": "D"}),
        ("bair_actions/sdvae_davos", {"schedule": "U", "model.name": "sdvae"}),
        ("bair_actions/op3", {"trainer.stages.frames_10.batch_size": 10, "schedule": "D"}),
        (
            "bair_actions/vrnn_star",
            {"trainer.stages.frames_3.target": -14500, "schedule": "open_loop"},
        ),
        ("bair_action_free/vrnn", {"data.actions": False, "schedule": "teacher_forced"}),
        ("planning/ssm", {"trainer.max_length": 5, "trainer.validation_horizon": 3}),
        ("push_blocks_noisy/op3", {"model.latent_size": 16, "trainer.stages.discover.steps": 4500}),
        ("push_blocks_noisy/vrnn_star", {"model.hidden": 128, "trainer.precision": "bf16"}),
        ("push_blocks/sdvae_davos", {"model.num_slots": 5, "model.latent_size": 16}),
        ("push_blocks/vrnn", {"model.num_slots": None, "model.hidden": 128}),
        ("push_blocks/rssm", {"model.name": "rssm", "trainer.stages.joint.length": 12}),
        ("push_blocks/patch_dynamics", {"model.grid": 4}),
        ("stack_blocks/rssm", {"model.name": "rssm", "trainer.max_length": 6}),
        ("push_t/patch_dynamics", {"model.grid": 4, "trainer.stages.foresight.length": 7}),
    ],
)
def test_composed_experiments_say_what_was_published(
    experiment: str, settings: dict[str, Any]
) -> None:
    config = compose("train", [f"experiment={experiment}"])
    assert config.name == experiment.replace("/", "_")
    assert {key: OmegaConf.select(config, key) for key in settings} == settings


def test_trainer_options_are_the_trainers() -> None:
    own = {"batch_size", "max_length", "_target_"}
    names = {field.name for field in fields(TrainerConfig)}
    assert set(compose("train", []).trainer) - own == names


def test_commands_that_start_together_write_to_folders_of_their_own() -> None:
    names = [str(OmegaConf.select(compose("plan", []), "output")) for _ in range(2)]
    assert names[0] != names[1]
    texts = [path.read_text(encoding="utf-8") for path in CONF.glob("*.yaml")]
    times = [time for text in texts for time in re.findall(r"\$\{now:(.*)\}", text)]
    assert len(times) > 10
    assert all(time.endswith("%f") for time in times)


def test_defaults_are_written_once() -> None:
    """What the command line takes where no experiment says anything is what Python takes."""
    trainer = compose("train", ["experiment=push_blocks/slot_dynamics_joint"]).trainer
    for field in fields(TrainerConfig):
        if field.name not in ("stages", "max_steps", "seed"):
            assert trainer[field.name] == field.default, field.name


def test_batch_size_replaces_that_of_every_stage() -> None:
    default = trainer_settings(compose("train", []))
    assert len({stage.batch_size for stage in default.stages}) > 1
    changed = trainer_settings(compose("train", ["trainer.batch_size=7"]))
    assert {stage.batch_size for stage in changed.stages} == {7}


def test_no_clip_is_longer_than_the_episodes_of_a_data_set() -> None:
    stages = trainer_settings(compose("train", ["experiment=planning/ssm"])).stages
    assert [stage.length for stage in stages] == [3, 5, 5, 5]
    with pytest.raises(ArmillaryError, match="max_length must be at least 1, got 0"):
        trainer_settings(compose("train", ["trainer.max_length=0"]))


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


@pytest.mark.parametrize(
    "task", ["push_blocks_noisy", "push_blocks_keep_clear", "push_blocks_walls"]
)
def test_the_physics_of_a_task_are_those_of_its_environment(task: str) -> None:
    config = compose("plan", [f"task={task}"])
    physics, own = build(config.task.physics), plain_env(config)().unwrapped.oracle
    assert physics.action_noise == own.action_noise
    assert physics.table == own.table
    assert own.action_noise > 0 or own.table.walls
    regions = OmegaConf.select(config, "objective.terms.keep_out.cost.regions") or []
    assert tuple(map(tuple, regions)) == own.table.keep_clear


@pytest.mark.parametrize("task", ["push_blocks", "sprite_goals", "stack_blocks"])
def test_episodes_that_go_on_after_success_pose_the_same_problems(task: str) -> None:
    ends, goes_on = (
        plain_env(compose("benchmark", [f"task={task}", f"play_on={play_on}"]))()
        for play_on in (False, True)
    )
    for seed in range(3):
        goals = [env.reset(seed=seed)[0]["goal_image"] for env in (ends, goes_on)]
        assert np.array_equal(*goals)


def test_a_strategy_may_take_the_place_of_its_name() -> None:
    words = ["objective.time={_target_: armillary.planners.reductions.Discounted, gamma: 0.5}"]
    assert build(compose("plan", words).objective)


def test_what_a_task_says_of_its_actions_reaches_the_search() -> None:
    for task, space, displacements in (
        ("sprite_goals", "image", [[2, 3]]),
        ("stack_blocks", "scene", []),
    ):
        search = build(compose("benchmark", [f"task={task}"]).planner)
        assert (search.space, [*map(list, search.displacements)]) == (space, displacements)
