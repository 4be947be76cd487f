"""Every verb that writes, as small as it can be, and the files that it needs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from tests.reliability.commands import Ended, run

_FIXTURE = Path(__file__).parent.parent / "parity" / "fixtures" / "v32_vrnn_train_before.npz"
_SEARCH = ("planner.samples=4", "planner.iterations=1", "planner.elites=2")
_MANY = ("videos=27", "batch=27")
_PLANNING = (*_SEARCH, "horizon=2", "replan_interval=2", "task.max_steps=2", "workers=0")
_EPISODES = ("episodes=5", "length=12", "workers=0", "policy=random", "val=0.2", "test=0.2")


@dataclass(frozen=True)
class Case:
    """A command and the folder that it runs in.

    Attributes:
        words: of the command line.
        needs: what it reads, names in the folder of inputs.
        there: what it replaces: names in its folder, by the names that they have among the inputs.
        quick: whether it belongs to the short run.
    """

    words: Sequence[str]
    needs: Sequence[str] = ()
    there: Mapping[str, str] = field(default_factory=dict)
    quick: bool = False

    def prepare(self, inputs: Path, folder: Path) -> None:
        """Makes the folder with what the command reads and replaces."""
        folder.mkdir()
        for name in self.needs:
            _copy(inputs / name, folder / name)
        for name, source in self.there.items():
            _copy(inputs / source, folder / name)


CASES: dict[str, Case] = {
    "collect": Case(("collect", *_EPISODES, "out=new/data.h5", "output=out"), quick=True),
    "collect, replacing": Case(
        ("collect", *_EPISODES, "seed=1", "out=data.h5", "overwrite=true", "output=out"),
        there={"data.h5": "data.h5"},
    ),
    "convert": Case(
        ("convert", "source=towel_pick", "input=data.h5", "out=new.h5", "output=out", "workers=0"),
        needs=["data.h5"],
        quick=True,
    ),
    "train": Case(
        (
            *("train", "data.path=data.h5", "output=out", "trainer.max_steps=4"),
            *("trainer.batch_size=2", "trainer.validate_every=2", "trainer.validation_clips=1"),
        ),
        needs=["data.h5"],
    ),
    "train-proposals": Case(
        (
            *("train-proposals", "checkpoint=model", "data.path=data.h5", "horizon=2", "steps=2"),
            *("batch=4", "output=out"),
        ),
        needs=["data.h5", "model"],
    ),
    "evaluate": Case(
        (
            *("evaluate", "checkpoint=model", "data.path=data.h5", "split=train", "videos=2"),
            *("rollouts=2", "horizon=2", "batch=1", "output=out"),
        ),
        needs=["data.h5", "model"],
    ),
    "generate": Case(
        (
            *("generate", "checkpoint=model", "data.path=data.h5", "split=train", "videos=3"),
            *("horizon=2", "batch=1", "output=videos.h5"),
        ),
        needs=["data.h5", "model"],
    ),
    "fvd": Case(
        ("fvd", "real.h5", "made.h5", "checkpoint=model", "output=out"),
        needs=["real.h5", "made.h5", "model"],
    ),
    "benchmark": Case(
        (
            *("benchmark", "simulators=[random,model]", "episodes=3", "batch=2", *_PLANNING),
            "output=out",
        ),
        needs=["model"],
    ),
    "selftest": Case(
        ("selftest", "checkpoint=model", "episodes=2", "output=out"), needs=["model", "measured"]
    ),
    "diagnose": Case(
        ("diagnose", "checkpoint=model", "episodes=2", "looks=1", *_PLANNING, "output=out"),
        needs=["model"],
    ),
    "bench": Case(("bench", "size=smoke", "rows=[search]", "output=out")),
    "plan": Case(
        ("plan", "checkpoint=model", "episodes=1", *_PLANNING, "output=out"), needs=["model"]
    ),
    "render": Case(
        (
            *("render", "checkpoint=model", "data.path=data.h5", "samples=1", *_SEARCH),
            *("horizon=2", "replan_interval=2", "task.max_steps=2", "output=out"),
        ),
        needs=["data.h5", "model"],
    ),
    "export": Case(("export", "checkpoint=model", "onnx=never", "to=out"), needs=["model"]),
    "report": Case(
        ("report", "played", "output=page.html", "overwrite=true"),
        needs=["played"],
        there={"page.html": "page.html"},
    ),
    "import-checkpoint": Case(
        ("import-checkpoint", "authors.pth", "output=out"), needs=["authors.pth"], quick=True
    ),
    "new": Case(("new", "plugin", "my_pack", "record=out"), quick=True),
    "demo": Case(
        (
            *("demo", "size=smoke", "output=out", "collect.episodes=3", "+collect.length=10"),
            *("train.trainer.max_steps=1", "train.trainer.validation_clips=1"),
            *("benchmark.episodes=1", "benchmark.simulators=[random]"),
            "+render.side=48",
        )
    ),
}


def make_inputs(cases: Sequence[Case], folder: Path, modules: Path) -> None:
    """Writes what some cases need.

    Args:
        cases: that are to be run.
        folder: where; made.
        modules: a file for the names of the modules that the commands load.

    Raises:
        RuntimeError: a command failed.
    """
    folder.mkdir()
    commands: dict[str, tuple[str, ...]] = {
        "data.h5": ("collect", *_EPISODES, "out=data.h5", "output=collected"),
        "model": (*CASES["train"].words, "trainer.max_steps=2"),
        "real.h5": (*CASES["generate"].words, "checkpoint=ground_truth", *_MANY, "output=real.h5"),
        "made.h5": (*CASES["generate"].words, *_MANY, "output=made.h5"),
        "measured": (
            *("benchmark", "simulators=[model]", "episodes=2", *_PLANNING, "card=true"),
            "output=measured",
        ),
        "played": (*CASES["benchmark"].words, "output=played"),
        "page.html": ("report", "played", "title=old", "output=page.html"),
    }
    needed = {name for case in cases for name in (*case.needs, *case.there.values())}
    names: set[str] = set()
    for name, words in commands.items():
        if all((folder / other).exists() or other == "authors.pth" for other in needed):
            break
        _require(run(words, folder, modules=modules), words)
        names |= set(modules.read_text(encoding="utf-8").split())
        if name == "model":
            shutil.copytree(folder / "out" / "checkpoints" / "last", folder / "model")
    with np.load(_FIXTURE) as arrays:
        weights = {
            name.removeprefix("param/"): torch.from_numpy(arrays[name])
            for name in arrays.files
            if name.startswith("param/")
        }
    torch.save({"step": 1, "model": weights}, folder / "authors.pth")
    modules.write_text("\n".join(sorted(names)), encoding="utf-8")


def _require(ended: Ended, words: Sequence[str]) -> None:
    if ended.code != 0:
        raise RuntimeError(f"{' '.join(words)}: exit code {ended.code}\n{ended.told}")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)
