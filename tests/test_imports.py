"""Imports follow the direction of the data, and only ``experiments`` knows users and files."""

from __future__ import annotations

import ast
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
