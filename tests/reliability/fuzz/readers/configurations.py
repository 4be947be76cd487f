"""YAMLs of users: files that a group is set to, alone and composed into a verb's configuration."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from random import Random

from armillary.experiments.command.choices import chosen
from armillary.experiments.command.config import compose, loader_of, require
from armillary.experiments.command.verbs import parsed
from tests.reliability.fuzz.mutate import yaml
from tests.reliability.fuzz.reader import Files, Reader, replaced

_YAMLS = {
    "model": "name: slot_dynamics\nnum_slots: 3\npatch: 16\npredictor: copy\npixel_std: 0.03\n",
    "planner": "_target_: armillary.planners.CEM\nsamples: 30\niterations: 3\nelites: 5\n",
    "task": (
        "defaults: [push_blocks]\nmax_steps: 12\nenvironment: {frameskip: 3, image_size: 32}\n"
        "recommended: {planner: cem}\n"
    ),
    "goal": (
        "_target_: armillary.world_models.goals.object.ObjectGoal\n"
        "items:\n  - {color: red, at: [0.5, 0.5]}\n"
    ),
    "experiment": (
        "name: mine\nmodel: {name: slot_dynamics, num_slots: 3}\n"
        "trainer:\n  max_steps: 5\n  stages:\n    joint: {objective: joint, length: 4}\n"
    ),
}
_VERBS = {
    "model": "train",
    "experiment": "train",
    "planner": "plan",
    "task": "plan",
    "goal": "plan",
}


def _make() -> list[Files]:
    return [{f"{group}.yaml": content.encode()} for group, content in _YAMLS.items()]


def _damage(random: Random, files: Files) -> Files:
    ((name, content),) = files.items()
    return replaced(random, files, name, yaml.damaged(random, content)) or {"none": b""}


@cache
def _repository(verb: str):
    return loader_of()._prepared(verb, [])[0]


def _file(folder: Path) -> object:
    path = next(folder.glob("*.yaml"), folder / "model.yaml")
    verb = _VERBS[path.stem]
    (word,) = parsed(verb, (), [f"{path.stem}={path}"])
    return chosen(verb, word, _repository(verb))


def _composed(folder: Path) -> object:
    path = next(folder.glob("*.yaml"), folder / "model.yaml")
    verb = _VERBS[path.stem]
    more = ["data.path=d.h5"] if verb == "train" else []
    config = compose(verb, [f"{path.stem}={path}", *more, f"output={folder}/out"])
    return require(config)


READERS = (
    Reader("user-yaml", _make, _damage, _file, share=4),
    Reader("user-yaml-composed", _make, _damage, _composed, share=0),
)
