"""Every code block of the README and of the documents runs, at toy size."""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from armillary.experiments.cli import main
from armillary.experiments.verbs import evaluate
from tests.documents.blocks import Block, blocks_of, commands_of, indented_commands
from tests.documents.stand_ins import Lpips, provide

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
LANGUAGES = {"python", "sh", "yaml", "toml", "text", "json"}

SEARCH = ("planner.samples=32", "planner.iterations=2")
SHORT = ("horizon=4", "replan_interval=4", "task.max_steps=4")
TOY = {
    "collect": ("episodes=12", "length=14", "val=0.25", "test=0.25", "workers=0"),
    "train": (
        "trainer.max_steps=2",
        "trainer.batch_size=2",
        "trainer.validation_clips=1",
        "trainer.validation_horizon=1",
        "trainer.validation_rollouts=1",
    ),
    "train-proposals": ("steps=2", "batch=8"),
    "plan": ("episodes=1", *SHORT, *SEARCH),
    "benchmark": ("episodes=2", "workers=0", *SHORT, *SEARCH),
    "selftest": ("episodes=1",),
    "diagnose": ("episodes=1", "looks=1", "workers=0", *SHORT, *SEARCH),
    "render": ("samples=1", "plan=never", "side=64"),
    "evaluate": ("rollouts=2", "videos=1", "side=32"),
    "export": ("onnx=never",),
    "generate": ("videos=4",),
    "demo": ("size=smoke",),
    "bench": ("size=smoke", "rows=[search]"),
}
"""Words that are added to a verb's, so that it ends within seconds."""
WITHOUT_SAMPLES = ("gradient", "collocation", "retrieval", "inverse_dynamics")
"""Planners that have not the settings of ``SEARCH``."""
SMALLER = (
    (r"samples=\d+", "samples=32"),
    (r"iterations=\d+", "iterations=2"),
    (r"range\(\d+\)", "range(2)"),
    (r"batch=\d+", "batch=2"),
    (r"max_steps=\d+", "max_steps=2"),
    (r"episodes=\d+", "episodes=12"),
)
"""What is made smaller in Python blocks."""
PUBLISHED = re.compile(r"experiment=\S*(sdvae|op3|ssm|vrnn)\S*")


class Shell:
    """Runs the commands of one page in its folder."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self._folder, self._cache = folder, cache
        self._done: set[str] = set()

    def run(self, command: str) -> None:
        """Runs a command, or checks it where running it would change this machine.

        A command that a page repeats, because several results rest on it, is run once.
        """
        if command in self._done:
            return
        self._done.add(command)
        program, *words = shlex.split(command)
        for word in [word for word in words if not word.startswith(("out=", "output="))]:
            for part in re.split(r"[=,\[\]]", word):
                provide(part, self._folder, self._cache)
        name = re.sub(r"\W", "_", program.removeprefix(".venv/bin/").lstrip("."))
        check = getattr(self, f"_{name}", None)
        assert check is not None, f"no test knows how to run {program!r}"
        check(words)

    def _armillary(self, words: list[str]) -> None:
        toy = [] if "--help" in words else list(TOY.get(words[0], ()))
        if {*words} & {f"planner={name}" for name in WITHOUT_SAMPLES}:
            toy = [word for word in toy if word not in SEARCH]
        if words[0] == "train" and PUBLISHED.search(" ".join(words)):
            toy += ["model.conv_channels=4"]
        # More videos than a toy has, or a GPU: composed, not run.
        if words[0] == "fvd" or "--device-checks" in words:
            toy += ["--cfg", "job"]
        assert main([*words, *toy]) == 0

    def _python(self, words: list[str]) -> None:
        """Scripts of the checkout: that they are there and know their options; the page's tests."""
        if words[:2] == ["-m", "pytest"]:
            assert pytest.main([*words[2:], "-q", "-p", "no:cacheprovider"]) == 0
            return
        module = words[1] if words[0] == "-m" else words[0].removesuffix(".py").replace("/", ".")
        shown = io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patched,
            contextlib.redirect_stdout(shown),
            pytest.raises(SystemExit) as ended,
        ):
            patched.setattr(sys, "argv", [module, "--help"])
            runpy.run_module(module, run_name="__main__")
        assert ended.value.code == 0
        for option in [word for word in words if word.startswith("--")]:
            assert option in shown.getvalue()

    def _make(self, words: list[str]) -> None:
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
        assert set(words) <= set(targets)

    def _pip(self, words: list[str]) -> None:
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        for extra in re.findall(r"\[(\w+)\]", " ".join(words)):
            assert f"\n{extra} = [" in project

    def _tensorboard(self, words: list[str]) -> None:
        assert words[0] == "--logdir"

    def _ci_run(self, words: list[str]) -> None:
        assert not words
        assert os.access(ROOT / ".ci" / "run", os.X_OK)

    def _pre_commit(self, words: list[str]) -> None:
        assert words == ["install"]
        assert (ROOT / ".pre-commit-config.yaml").is_file()

    def _cd(self, words: list[str]) -> None:
        raise AssertionError("a page's commands run in one folder")


def run_python(block: Block, page: Path, names: dict[str, object]) -> None:
    """Runs a block in the names of its page."""
    code = block.code
    for pattern, smaller in SMALLER:
        code = re.sub(pattern, smaller, code)
    exec(compile("\n" * block.line + code, str(page), "exec"), names)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stand-ins")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_says_what_it_is(page: Path) -> None:
    unknown = [f"{page}:{b.line}" for b in blocks_of(page) if b.language not in LANGUAGES]
    assert not unknown
    assert not indented_commands(page)


@pytest.mark.parametrize("page", [p for p in PAGES if blocks_of(p)], ids=name_of)
def test_every_block_runs(
    page: Path,
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    plugins_apart: None,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "lpips", SimpleNamespace(LPIPS=Lpips))
    monkeypatch.setitem(sys.modules, "gym_pusht", SimpleNamespace())
    pushed = {"actions": spaces.Box(0.0, 512.0, (2,), np.float32)}
    gym.register("gym_pusht/PushT-v0", "tests.envs.toys:Walk", kwargs=pushed)
    if page.name != "evaluation.md":  # pictures take most of the time of a toy evaluation
        monkeypatch.setattr(evaluate, "write_plots", lambda *_: None)
        monkeypatch.setattr(evaluate, "write_examples", lambda *_: [])
    shell, names = Shell(tmp_path, cache), {"__name__": "__page__"}
    for block in blocks_of(page):
        if block.title:
            (tmp_path / block.title).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / block.title).write_text(block.code, encoding="utf-8")
        elif block.language == "python":
            for word in re.findall(r"\"([\w./]+)\"", block.code):
                provide(word, tmp_path, cache)
            run_python(block, page, names)
        elif block.language == "sh":
            for command in commands_of(block):
                shell.run(command)
