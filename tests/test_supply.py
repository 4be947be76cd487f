"""What the package is installed with: declared, bounded, locked, under licences that we know."""

from __future__ import annotations

import ast
import re
import runpy
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
OURS = ("agent", "armillary", "envs", "experiments", "planners", "world_models")
PERMISSIVE = re.compile(r"0BSD|Apache|BSD|BSL-1.0|CC0-1.0|MIT|PSF-2.0|Python Software|Zlib")
_PIN = re.compile(r"^(?:# )?([a-z0-9-]+)==([\w.]+)(?: ;.*)?(?: \\)?$", re.MULTILINE)


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def lock() -> str:
    return (ROOT / "requirements-dev.lock").read_text("utf-8")


@pytest.fixture(scope="module")
def licences() -> dict[str, tuple[str, str]]:
    rows = re.findall(
        r"^\| ([a-z0-9-]+) \| (.+) \| (.+) \|$",
        (ROOT / "docs" / "licences.md").read_text("utf-8"),
        re.MULTILINE,
    )
    return {name: (licence, by) for name, licence, by in rows if name != "package"}


def names(requirements: list[str]) -> set[str]:
    found: set[str] = {canonicalize_name(Requirement(one).name) for one in requirements}
    return found - {"armillary"}


def every(project: dict[str, Any]) -> list[str]:
    extras = project["project"]["optional-dependencies"].values()
    return [*project["project"]["dependencies"], *(one for extra in extras for one in extra)]


def test_what_is_imported_is_declared(project: dict[str, Any]) -> None:
    declared = names(project["project"]["dependencies"])
    for extra in ("bair", "cma", "distributed", "export"):
        declared |= names(project["project"]["optional-dependencies"][extra])
    whose = packages_distributions()
    for path in (path for folder in OURS for path in (ROOT / folder).rglob("*.py")):
        for module in imported(path) - {"armillary", *sys.stdlib_module_names}:
            by = {canonicalize_name(one) for one in whose.get(module, [module])}
            assert by & declared, f"{path} imports {module}, which pyproject.toml does not name"


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_every_dependency_has_a_lower_bound(project: dict[str, Any]) -> None:
    lowest = runpy.run_path(str(ROOT / ".ci" / "lowest.py"))["lowest"]
    tried = names([f"{name}=={version}" for name, version in lowest(project).items()])
    assert tried == names(every(project)) | names(project["build-system"]["requires"])
    project["project"]["optional-dependencies"]["more"] = ["numpy"]
    with pytest.raises(ValueError, match="without a lower bound: numpy"):
        lowest(project)
    del project["project"]["optional-dependencies"]["more"]


def test_the_lock_pins_everything_within_its_range(project: dict[str, Any], lock: str) -> None:
    pinned: dict[str, list[str]] = {}
    for name, version in _PIN.findall(lock):
        pinned.setdefault(name, []).append(version)
    for one in map(Requirement, [*every(project), *project["build-system"]["requires"]]):
        if one.name != "armillary":
            found = pinned[canonicalize_name(one.name)]
            assert all(version in one.specifier for version in found), f"{one}: {found}"


def test_the_lock_has_hashes_and_names_no_place(lock: str) -> None:
    requirements = re.split(r"^(?=\w)", lock, flags=re.MULTILINE)[1:]
    assert len(requirements) > 100
    assert all(" --hash=sha256:" in one for one in requirements)
    assert not re.search(r"https?:|file:|--(?:extra-)?index-url|--find-links|^/| @ ", lock, re.M)


def test_torch_is_named_but_not_locked() -> None:
    locked = runpy.run_path(str(ROOT / ".ci" / "lock.py"))["locked"]
    hashed = r" \{}    --hash=sha256:{}{}"
    found = "".join(
        f"{name}==1.0{hashed.format(chr(10), 'ab', chr(10))}"
        for name in ("numpy", "nvidia-cublas", "torch", "triton", "urllib3")
    )
    lines = locked(found).splitlines()
    assert [line for line in lines if line.startswith("# torch")] == ["# torch==1.0"]
    assert [line.split("=")[0] for line in lines if line[0] not in "# "] == ["numpy", "urllib3"]


def test_no_licence_is_missing(lock: str, licences: dict[str, tuple[str, str]]) -> None:
    assert set(licences) == {name for name, _ in _PIN.findall(lock)}


def test_what_is_always_installed_is_permissive(
    project: dict[str, Any], licences: dict[str, tuple[str, str]]
) -> None:
    assert names(project["project"]["dependencies"]) <= {
        name for name, (_, by) in licences.items() if by == "always"
    }
    for name, (licence, by) in licences.items():
        if by == "always":
            for part in re.split(r" (?:AND|OR) ", licence):
                assert PERMISSIVE.search(part), f"{name}: {licence}"
    assert licences["crc32c"] == ("LGPL-2.1-or-later", "bair")
    assert "LGPL" not in str({name: one for name, one in licences.items() if name != "crc32c"})
