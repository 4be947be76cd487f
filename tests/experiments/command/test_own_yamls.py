"""Users' own YAMLs: by name from a folder or the search path, or by their own path."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from armillary.errors import ArmillaryError
from armillary.experiments.command.config import compose
from armillary.experiments.command.errors import UsageError
from tests.experiments.conftest import Command

FAST = "_target_: armillary.planners.cem.CEM\nsamples: 40\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one of most kinds."""
    for name, text in {
        "planner/fast": FAST,
        "model/wide": "defaults:\n  - slot_dynamics\ncontent_size: 48\n",
        "dataset/lab": "curriculum: small\nsize: small\ntrain: {data: {path: lab.h5}}\n",
        "task/two": "defaults:\n  - push_blocks\nenvironment: {num_blocks: 2}\n",
        "experiment/train/mine": "# @package _global_\nname: mine\ntrainer: {max_steps: 7}\n",
        "experiment/any": "# @package _global_\nseed: 9\n",
    }.items():
        path = tmp_path / "own" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "own"


def test_names_from_a_folder(folder: Path) -> None:
    planner = compose("plan", ["planner=fast"], folder).planner
    assert (planner.samples, planner.momentum) == (40, 0.0)
    assert compose("train", ["model=wide"], folder).model.content_size == 48
    assert compose("collect", ["task=two"], folder).task.environment.num_blocks == 2
    assert compose("train", ["experiment=mine"], folder).trainer.max_steps == 7
    assert compose("train", ["experiment=any"], folder).seed == 9
    assert compose("evaluate", ["experiment=any"], folder).seed == 9


def test_a_data_set_of_ones_own_is_composed_with_every_model(folder: Path) -> None:
    config = compose("train", ["experiment=lab/sdvae_davos"], folder)
    assert (config.name, config.schedule, config.data.path) == ("lab_sdvae_davos", "U", "lab.h5")
    assert config.model.latent_size == 16
    assert compose("evaluate", ["experiment=lab/accuracy/op3"], folder).horizon == 8


def test_names_from_hydras_search_path(folder: Path) -> None:
    words = ["planner=fast", f"hydra.searchpath=[file://{folder}]"]
    assert compose("plan", words).planner.samples == 40
    with pytest.raises(UsageError, match="nowhere is not available"):
        compose("plan", ["hydra.searchpath=[file:///nowhere]"])


def test_a_path_takes_the_place_of_a_name(folder: Path) -> None:
    path = folder / "planner" / "fast.yaml"
    config = compose("plan", [f"planner={path}", "planner.iterations=2"])
    assert (config.planner.samples, config.planner.iterations) == (40, 2)
    assert config.choices.planner == str(path)
    experiment = folder / "experiment" / "any.yaml"
    assert compose("evaluate", [f"experiment={experiment}"]).seed == 9
    assert compose("train", [f"model={folder / 'model' / 'wide.yaml'}"]).model.content_size == 48


@pytest.mark.parametrize(
    ("verb", "group", "text", "told"),
    [
        (
            "plan",
            "planner",
            "_target_: armillary.planners.cem.CEM\nsample: 4\n",
            "mean 'planner.samples'",
        ),
        ("train", "model", "name: sdvae\nnum_slot: 4\n", "did you mean 'model.num_slots'"),
        ("train", "experiment", "name: x\ntrainr: {max_steps: 1}\n", "did you mean 'trainer'"),
        ("train", "experiment", "name: x\ntrainer: {max_step: 1}\n", "mean 'trainer.max_steps'"),
        ("train", "experiment", "name: x\ndata: {pth: x}\n", "did you mean 'data.path'"),
        ("plan", "planner", "- 1\n", "must hold keys and values"),
        ("plan", "planner", "a: [1\n", "is no YAML"),
        ("plan", "planner", "_target_: my_pack.Search\n", "my_pack"),
        ("plan", "planner", "_target_: armillary.planners.CEM ...\n", "cannot be imported"),
        ("train", "experiment", f"defaults: [/task: {'x' * 300}]\n", "File name too long"),
    ],
)
def test_mistakes_in_a_yaml_are_named(
    armillary: Command, tmp_path: Path, verb: str, group: str, text: str, told: str
) -> None:
    (tmp_path / "own.yaml").write_text(text)
    shown = armillary(verb, f"{group}=own.yaml", "--cfg", "job")
    assert shown.code == 2, shown.out
    assert told in shown.err
    assert len(shown.err.splitlines()) == 1


def test_a_missing_file_or_folder_is_told(armillary: Command) -> None:
    assert "there is no such file" in armillary("plan", "planner=./none.yaml").err
    assert "there is no such folder" in armillary("plan", "--config-dir", "none").err


def test_keys_are_added_and_removed() -> None:
    config = compose("train", ["~data.actions", "+note=hello", "++trainer.max_steps=3"])
    assert "actions" not in config.data
    assert (config.note, config.trainer.max_steps) == ("hello", 3)


@pytest.mark.parametrize(
    ("verb", "word", "key", "value"),
    [
        ("train", "trainer.max_minutes=2.5", "trainer.max_minutes", 2.5),
        ("train", "trainer.max_minutes=3", "trainer.max_minutes", 3.0),
        ("demo", "train.trainer.max_minutes=0.5", "train.trainer.max_minutes", 0.5),
        ("evaluate", "fps=0.5", "fps", 0.5),
        ("evaluate", "output=2026", "output", "2026"),
        ("evaluate", "data.path=1e3", "data.path", "1e3"),
        ("evaluate", "lpips=2026", "lpips", "2026"),
        ("evaluate", "videos=3", "videos", 3),
        ("fvd", "real=[a.h5,b.h5]", "real", ["a.h5", "b.h5"]),
        ("plan", "planner.std=1", "planner.std", 1.0),
        ("train", "model.image_size=64", "model.image_size", 64),
    ],
)
def test_values_are_of_the_kind_that_the_option_is(
    verb: str, word: str, key: str, value: object
) -> None:
    found = OmegaConf.select(compose(verb, [word]), key)
    assert found == value
    assert OmegaConf.is_config(found) or type(found) is type(value)


@pytest.mark.parametrize(
    ("verb", "word"),
    [
        ("evaluate", "data.path=[a.h5,b.h5]"),
        ("evaluate", "output=null"),
        ("evaluate", "videos=abc"),
        ("evaluate", "videos=1.5"),
        ("evaluate", "checkpoint={a: 1}"),
        ("plan", "planner.samples=[1]"),
        ("train", "model.num_slots=many"),
    ],
)
def test_values_of_another_kind_are_told_in_a_line(
    armillary: Command, verb: str, word: str
) -> None:
    told = armillary(verb, word)
    assert told.code == 2
    assert word.partition("=")[0] in told.err
    assert len(told.err.splitlines()) == 1


def test_data_set_model_and_protocol_by_themselves(folder: Path) -> None:
    named = compose("train", ["experiment=bair_actions/vrnn_star"])
    apart = compose("train", ["dataset=bair_actions", "model=vrnn_star"])
    assert (apart.name, apart.trainer, apart.model) == (named.name, named.trainer, named.model)
    evaluation = compose("evaluate", ["dataset=planning", "protocol=diversity"])
    assert (evaluation.horizon, evaluation.objects) == (3, "never")
    own = compose("train", [f"dataset={folder / 'dataset' / 'lab.yaml'}", "model=sdvae"])
    assert (own.data.path, own.model.latent_size) == ("lab.h5", 16)
    with pytest.raises(UsageError, match=r"needs model=\.\.\."):
        compose("train", ["dataset=bair_actions"])
    with pytest.raises(UsageError, match="did you mean 'accuracy'"):
        compose("evaluate", ["dataset=bair_actions", "protocol=acuracy"])


@pytest.mark.parametrize("text", ["a: [1\n", "a: " + "[" * 3000, "a: !!timestamp 2020-13-01\n"])
def test_a_broken_yaml_of_ones_own_folder_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "planner").mkdir()
    (tmp_path / "planner" / "mine.yaml").write_text(text)
    with pytest.raises(ArmillaryError, match=r"mine\.yaml: is no YAML"):
        compose("plan", ["planner=mine"], tmp_path)


def test_a_relative_folder_is_looked_for_where_the_process_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, samples in (("here", 3), ("there", 4)):
        planner = tmp_path / place / "lab/planner/quick.yaml"
        planner.parent.mkdir(parents=True)
        planner.write_text(f"defaults: [cem]\nsamples: {samples}\n")
        monkeypatch.chdir(tmp_path / place)
        assert compose("plan", ["planner=quick"], "lab").planner.samples == samples
