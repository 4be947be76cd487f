"""Imports follow the direction of the data, and only ``experiments`` knows users and files."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "world_models": set(),
    "envs": set(),
    "planners": {"world_models"},
    "agent": {"planners", "world_models"},
    "experiments": {"agent", "envs", "planners", "world_models"},
}
BASE = {"command", "running", "palette", "pixels"}
"""What every room of experiments may use; none of them uses another room."""
ROOMS = {
    "experiments": {
        "command": set(),
        "running": {"command"},
        "palette": set(),
        "pixels": set(),
        "templates": set(),
        "planning": BASE,
        "realism": BASE,
        "films": {*BASE, "planning"},
        "evaluation": {*BASE, "films"},
        "pages": {*BASE, "evaluation", "films", "planning", "realism"},
        "speed": {*BASE, "evaluation"},
        "suites": {*BASE, "evaluation", "pages", "planning"},
        "diagnosis": {*BASE, "evaluation", "planning"},
        "verbs": {
            *BASE,
            *(
                "diagnosis",
                "evaluation",
                "films",
                "pages",
                "planning",
                "realism",
                "speed",
                "suites",
                "templates",
            ),
        },
        "cli": {"command", "running"},
        "conf": set(),
    },
    "envs": {
        "registration": set(),
        "shapes": set(),
        "task": set(),
        "actions": set(),
        "goal_env": set(),
        "options": set(),
        "drawing": {"shapes"},
        "image_goal": set(),
        "policies": set(),
        "wrappers": {"task"},
        "push_blocks": {"actions", "goal_env", "options", "drawing", "shapes", "task"},
        "push_t": {"actions", "goal_env", "options", "drawing", "task"},
        "moving_sprites": {"actions", "options", "drawing", "shapes", "task"},
        "sprite_goals": {"actions", "goal_env", "moving_sprites", "options", "shapes"},
        "mujoco": {"options"},
        "stack_blocks": {"actions", "goal_env", "options", "mujoco"},
        "towel_pick": {"actions", "goal_env", "options", "mujoco", "task"},
    },
}
"""What the folders and files of a package may import of each other."""
MOST_MODULES = 14
"""Modules in a folder, beside ``__init__``: about a dozen, and one for every verb."""
VERBS = len(list((ROOT / "experiments" / "conf").glob("*.yaml")))
CROWDED = {"world_models": 15, "world_models/training": 15, "experiments/verbs": VERBS}
"""Folders with more: to be divided before anything is added."""
FOR_USERS = {"hydra", "omegaconf", "rich", "matplotlib", "imageio"}
FILES = [path for package in MAY_IMPORT for path in sorted((ROOT / package).rglob("*.py"))]


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def imported(path: Path) -> set[str]:
    """What a file imports, wherever in it: ours as ``envs``, others by their top-level name."""
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {_package(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import with the full name of the package"
            found |= {_package(f"{node.module}.{alias.name}") for alias in node.names}
    return found


def rooms_imported(path: Path, package: str) -> set[str]:
    """The folders and files of its own package that a file imports from, by name."""
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {name.split(".")[2] for name in names if name.startswith(f"armillary.{package}.")}
    return found


def _package(name: str) -> str:
    first, *rest = name.split(".")
    return rest[0] if first == "armillary" and rest else first


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 40
    assert "torch" in imported(ROOT / "world_models" / "model.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_follow_the_data(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    ours = imported(path) & {*MAY_IMPORT, "tests"} - {package}
    assert ours <= MAY_IMPORT[package]
    if package != "experiments":
        assert not imported(path) & FOR_USERS
        calls = [node.func for node in nodes(path) if isinstance(node, ast.Call)]
        assert not [call for call in calls if isinstance(call, ast.Name) and call.id == "print"]


@pytest.mark.parametrize("package", ROOMS)
def test_imports_go_one_way_between_rooms(package: str) -> None:
    rooms = ROOMS[package]
    seen = set()
    for path in sorted((ROOT / package).rglob("*.py")):
        room = path.relative_to(ROOT / package).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        seen.add(room)
        assert room in rooms, f"{path}: say here what it may import"
        others = rooms_imported(path, package) - {room}
        assert others <= rooms[room], f"{path} imports {sorted(others - rooms[room])}"
    assert seen == {*rooms}


@pytest.mark.parametrize("package", ROOMS)
def test_no_two_rooms_may_import_each_other(package: str) -> None:
    """The table above is a partial order."""
    left = dict(ROOMS[package])
    while left:
        free = [room for room, others in left.items() if not others & {*left}]
        assert free, f"in a circle: {sorted(left)}"
        for room in free:
            del left[room]


def test_no_folder_has_more_rooms_than_one_can_remember() -> None:
    counts: dict[str, int] = {}
    for path in FILES:
        if path.name != "__init__.py":
            folder = path.parent.relative_to(ROOT).as_posix()
            counts[folder] = counts.get(folder, 0) + 1
    for folder, count in counts.items():
        assert count <= CROWDED.get(folder, MOST_MODULES), folder
    flat = [path.name for path in (ROOT / "experiments").glob("*.py")]
    assert len(flat) <= 4


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["help"],
        ["colect"],
        ["collect", "--help"],
        ["collect", "episodes=2", "length=4", "workers=0", "out=a.h5", "output=run"],
        ["--shell-completion", "query=bash"],
    ],
    ids=" ".join,
)
def test_what_computes_nothing_does_not_wait_for_torch(tmp_path: Path, words: list[str]) -> None:
    code = (
        "import sys; from armillary.experiments.cli import main; main(sys.argv[1:]); "
        "sys.exit('torch' in sys.modules or 'scipy' in sys.modules)"
    )
    line = "armillary bench"
    completed = {"COMP_LINE": line, "COMP_POINT": str(len(line))}
    environment = {**os.environ, **completed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=tmp_path, env=environment)
    assert done.returncode == 0


def test_processes_that_draw_and_simulate_load_no_torch() -> None:
    tasks = sorted(path.parent.name for path in (ROOT / "envs").glob("*/oracle.py"))
    modules = [
        "armillary.physics",
        "armillary.pool",
        *(f"armillary.envs.{t}.oracle" for t in tasks),
    ]
    code = f"import sys, {', '.join(modules)}; sys.exit('torch' in sys.modules)"
    assert len(tasks) >= 5
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
