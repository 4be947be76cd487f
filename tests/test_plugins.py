"""Plug-ins: what is registered and where it comes from, and what a mistake is answered with."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf

import armillary
from armillary import ArmillaryError, EpisodeFile, PluginError, plugins, register
from armillary.experiments.cli import main
from armillary.kinds import KINDS, SignatureError

ROOT = Path(str(armillary.__file__)).parent.parent
WriteModule = Callable[..., None]
REDUCTION = """
from armillary.plugins import register

@register("reduction", "{0}")
def reduction(costs):
    return costs[..., 0]
"""


@pytest.fixture(autouse=True)
def apart(plugins_apart: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test in a folder of its own, without what others registered."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def module(tmp_path: Path) -> WriteModule:
    """Writes a module into the working directory."""

    def write(path: str, text: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return write


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a module of the working directory known as a distribution's plug-in."""

    def write(name: str) -> None:
        folder = tmp_path / f"{name}-1.5.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
        (folder / "entry_points.txt").write_text(f"[armillary]\nanything = {name}\n")
        monkeypatch.syspath_prepend(tmp_path)
        plugins._installed.cache_clear()

    return write


# Registering


def test_ours_are_registered_like_those_of_others() -> None:
    found = {kind: set(plugins.registered(kind)) for kind in KINDS}
    assert {"sdvae", "op3", "ssm", "vrnn", "slot_dynamics"} <= found["model"]
    assert {"cem", "gradient", "icem", "mppi", "random_shooting"} <= found["planner"]
    assert {"pixel", "latent", "slot_matching", "object_position", "approach"} <= found["cost"]
    assert {"last", "mean", "discounted", "cvar", "worst"} <= found["reduction"]
    assert {"bair_pushing", "op3_pickplace", "towel_pick"} <= found["source"]
    ours = [entry for kind in KINDS for entry in plugins.registered(kind).values()]
    assert all(e.plugin == "" for e in ours if e.path.startswith("armillary."))


def test_a_taken_name_says_who_holds_it() -> None:
    with pytest.raises(PluginError, match=r"'cem' is taken by armillary\.planners\.cem\.CEM"):

        @register("planner", "cem")
        class Mine:
            def optimize(self) -> None: ...


def test_the_same_thing_may_be_registered_again() -> None:
    for _ in range(2):

        @register("cost", "again")
        def cost(rollout: object, goal: object) -> None: ...

    assert plugins.find("cost", "again").plugin == __name__


def test_unknown_kinds_and_names_that_are_none_are_refused() -> None:
    with pytest.raises(PluginError, match="'plannner'; did you mean 'planner'"):
        register("plannner", "mine")
    with pytest.raises(PluginError, match="letters, digits"):
        register("planner", "a=b")


@pytest.mark.parametrize(
    ("kind", "lacks"),
    [
        ("model", "`decode` and `filter` and `loss` and `slots` and `step`"),
        ("planner", "`optimize`"),
        ("cost", "`__call__`"),
        ("reduction", "`__call__`"),
        ("task", "`reset` and `step` and `settings`"),
        ("source", "`episodes` and `parts`"),
        ("metric", "`label`"),
        ("section", "`__call__`"),
    ],
)
def test_a_missing_member_is_named(kind: str, lacks: str) -> None:
    with pytest.raises(PluginError, match=f"the {kind} 'mine' lacks {lacks}") as told:
        register(kind, "mine")(type("Mine", (), {}))
    assert "\n" not in str(told.value)


def test_a_method_that_is_still_abstract_is_missing() -> None:
    from armillary import WorldModel

    class Half(WorldModel):
        def step(self, state, action, noise=None): ...
        def slots(self, state): ...
        def decode(self, state): ...
        def loss(self, window, objective, step): ...

    with pytest.raises(PluginError, match="'half' lacks `filter`, "):
        register("model", "half")(Half)


def test_a_model_derives_from_the_base_and_takes_keywords() -> None:
    from tests.world_models.toy import ToyModel

    names = ("filter", "step", "slots", "decode", "loss")
    with pytest.raises(PluginError, match=r"must derive from armillary\.world_models\.model"):
        register("model", "stranger")(type("Stranger", (), dict.fromkeys(names, print)))

    class Positional(ToyModel):
        def __init__(self, size: int) -> None: ...

    with pytest.raises(SignatureError, match="keyword-only"):
        register("model", "positional")(Positional)


# Loading


def test_a_module_of_the_working_directory_is_loaded_by_name(module: WriteModule) -> None:
    module("pack_here.py", REDUCTION.format("here"))
    plugins.load(["pack_here"])
    assert plugins.find("reduction", "here").plugin == "pack_here"
    assert plugins.loaded() == ("pack_here",)


def test_modules_of_a_package_belong_to_the_plugin_that_is_named(module: WriteModule) -> None:
    module("pack_whole/__init__.py", "")
    module("pack_whole/part.py", REDUCTION.format("part"))
    sys.path.append(str(Path.cwd()))
    import pack_whole.part  # type: ignore[import-not-found]  # noqa: F401

    assert plugins.find("reduction", "part").plugin == "pack_whole.part"
    plugins.load("pack_whole")
    assert plugins.find("reduction", "part").plugin == "pack_whole"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import pack_absent", "ModuleNotFoundError: No module named 'pack_absent'"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit('gone')", "SystemExit: gone"),
        ("raise ValueError('x' * 10**6)", "ValueError: xxx"),
        (REDUCTION.format("mean"), "the reduction name 'mean' is taken by armillary"),
    ],
)
def test_a_module_that_does_not_import_is_one_line_with_its_cause(
    module: WriteModule, text: str, told: str
) -> None:
    module("pack_bad.py", REDUCTION.format("bad") + text)
    with pytest.raises(PluginError, match=rf"the plug-in 'pack_bad' cannot be .*{told}") as caught:
        plugins.load(["pack_bad"])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert caught.value.__cause__ is not None
    assert "bad" not in plugins.registered("reduction")


def test_a_module_that_was_repaired_is_loaded(module: WriteModule) -> None:
    module("pack_late.py", "1 / 0")
    with pytest.raises(PluginError):
        plugins.load("pack_late")
    module("pack_late.py", REDUCTION.format("late") + "# repaired\n")
    plugins.load("pack_late")
    assert plugins.find("reduction", "late").plugin == "pack_late"


@pytest.mark.parametrize("name", ["pack_here.py", "some/pack_here", ".pack_here", "", "3"])
def test_a_path_is_answered_with_what_to_write(module: WriteModule, name: str) -> None:
    module("pack_here.py", "")
    with pytest.raises(PluginError, match="name a module as Python imports it: my_pack"):
        plugins.load([name])


def test_a_module_that_is_nowhere_is_answered_with_what_to_do() -> None:
    with pytest.raises(PluginError, match=r"'pack_nowhere'.*install it, or put its folder on PYTH"):
        plugins.load(["pack_nowhere"])


def test_installed_plugins_are_found_by_themselves(
    module: WriteModule, install: Callable[[str], None]
) -> None:
    module("pack_inst/__init__.py", REDUCTION.format("installed"))
    module("pack_inst/conf/planner/pack_quick.yaml", "_target_: armillary.planners.cem.CEM\n")
    install("pack_inst")
    assert plugins.find("reduction", "installed").plugin == "pack_inst"
    assert plugins.origin("pack_inst") == {
        "module": "pack_inst",
        "distribution": "pack_inst",
        "version": "1.5",
    }
    assert [folder.parent.name for folder in plugins.config_dirs()] == ["pack_inst"]
    assert plugins.versions() == {"pack_inst": "1.5"}


def test_a_broken_installed_plugin_is_told_once_and_breaks_nothing_else(
    module: WriteModule, install: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    module("pack_sick.py", REDUCTION.format("sick") + "1 / 0")
    install("pack_sick")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert "mean" in plugins.registered("reduction")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "'pack_sick' cannot be imported: ZeroDivisionError" in caplog.text
    with pytest.raises(ArmillaryError, match=r"unknown reduction 'sick'.*'pack_sick' cannot be"):
        plugins.find("reduction", "sick")
    with pytest.raises(PluginError, match="'pack_sick' cannot be imported"):
        plugins.load(["pack_sick"])


def test_what_is_ours_needs_no_plugin_to_be_imported(
    module: WriteModule, install: Callable[[str], None]
) -> None:
    module("pack_slow.py", "raise AssertionError('imported')")
    install("pack_slow")
    plugins.find("planner", "cem")
    assert "pack_slow" not in plugins._BROKEN


@pytest.mark.parametrize("path", ["planner/cem.yaml", "task/push_blocks.yaml", "train.yaml"])
def test_a_yaml_with_a_taken_name_is_refused(module: WriteModule, path: str) -> None:
    module("pack_yaml/__init__.py", "")
    module(f"pack_yaml/conf/{path}", "a: 1\n")
    with pytest.raises(PluginError, match=r"is taken by .*experiments/conf"):
        plugins.load(["pack_yaml"])
    assert plugins.config_dirs() == ()


def test_a_name_that_a_yaml_of_ours_holds_is_refused(module: WriteModule) -> None:
    module("pack_yaml.py", REDUCTION.format("push_blocks").replace("reduction", "cost"))
    plugins.load(["pack_yaml"])  # costs are choices of the group objective
    module("pack_task.py", REDUCTION.format("object_position_x").replace("reduction", "cost"))
    plugins.load(["pack_task"])
    text = (
        "import gymnasium\nfrom armillary.plugins import register\n"
        "@register('task', 'push_blocks')\nclass Mine(gymnasium.Env):\n    settings = {}\n"
        "    def reset(self, **more): ...\n    def step(self, action): ...\n"
    )
    module("pack_taken.py", text)
    with pytest.raises(PluginError, match=r"the choice task=push_blocks is taken by"):
        plugins.load(["pack_taken"])


def test_processes_that_are_started_load_what_was_named(module: WriteModule) -> None:
    module("pack_child.py", REDUCTION.format("child"))
    plugins.load(["pack_child"])
    code = "from armillary import plugins; print(plugins.find('reduction', 'child').plugin)"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["pack_child"]


def test_a_plugin_may_load_another(module: WriteModule) -> None:
    module("pack_one.py", "from armillary import plugins\nplugins.load(['pack_two'])\n")
    module("pack_two.py", REDUCTION.format("two"))
    plugins.load(["pack_one"])
    assert plugins.find("reduction", "two").plugin == "pack_two"


# On the command line

TASK = """
name: pack_push
environment:
  id: pack/Push-v0
  image_size: 32
recording: {}
length: 4
policy: random
policies:
  random:
    _target_: armillary.envs.push_blocks.policies.RandomPolicy
action_meaning: push
pose_meaning: places
"""
ENVIRONMENT = (
    "import gymnasium\n"
    "gymnasium.register('pack/Push-v0', 'armillary.envs.push_blocks.environment:PushBlocksEnv')\n"
)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_yaml_and_an_environment_make_a_task(module: WriteModule, workers: int) -> None:
    module("pack_env/__init__.py", ENVIRONMENT)
    module("pack_env/conf/task/pack_push.yaml", TASK)
    words = ["collect", "plugins=[pack_env]", "task=pack_push", "episodes=3", "output=run"]
    assert main([*words, f"workers={workers}"]) == 0
    assert EpisodeFile("run/episodes.h5").attributes["environment"] == "pack/Push-v0"


def test_names_are_choices_beside_ours(
    module: WriteModule, capsys: pytest.CaptureFixture[str]
) -> None:
    module(
        "pack_names.py",
        "from armillary import CEM, register\n"
        "@register('planner', 'pack_cem')\nclass Mine(CEM): pass\n"
        "@register('cost', 'pack_cost')\ndef cost(rollout, goal): return 0 * rollout.slots\n",
    )
    words = ["planner=pack_cem", "planner.samples=77", "objective=pack_cost", "--cfg", "job"]
    assert main(["plan", "plugins=pack_names", *words]) == 0
    config = OmegaConf.create(capsys.readouterr().out)
    assert config.planner == {**config.planner, "_target_": "pack_names.Mine", "samples": 77}
    assert config.objective.terms.pack_cost.cost.path == "pack_names.cost"
    assert main(["plan", "plugins=pack_names", "planner=pack_cme"]) == 2
    assert "did you mean 'pack_cem'" in capsys.readouterr().err


def test_a_broken_installed_plugin_breaks_no_command(
    module: WriteModule, install: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    module("pack_sick.py", "1 / 0")
    install("pack_sick")
    assert main(["collect", "episodes=3", "length=2", "workers=0", "output=run"]) == 0
    assert main(["plan", "planner=sick_search"]) == 2
    told = capfd.readouterr().err
    assert "unknown planner 'sick_search'" in told
    assert "the plug-in 'pack_sick' cannot be imported: ZeroDivisionError" in told


@pytest.mark.parametrize("text", ["1 / 0", REDUCTION.format("mean")])
def test_a_named_plugin_that_cannot_be_used_is_a_mistake(
    module: WriteModule, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    module("pack_bad.py", text)
    assert main(["plan", "plugins=[pack_bad]", "output=run"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("armillary plan: error: the plug-in 'pack_bad' cannot be imported: ")
    assert not (tmp_path / "run").exists()
