"""What a result was made with: the commit and the versions of the libraries."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

import armillary
from armillary import plugins
from armillary.experiments.command.config import to_dict

_LIBRARIES = ("torch", "gymnasium", "numpy", "pymunk", "h5py", "hydra-core", "safetensors")


def package_version() -> str:
    """The version of the installed distribution."""
    try:
        return version("armillary")
    except PackageNotFoundError:
        return "not installed"


def commit() -> str:
    """The commit of the checkout that runs, ``-dirty`` with changes; else the package version.

    Only a checkout of this project counts, not the repository of whoever installed it.
    """
    root = Path(str(armillary.__file__)).parent.parent
    if not (root / ".git").exists():
        return package_version()
    try:
        head = _git(root, "rev-parse", "HEAD")
        return f"{head}-dirty" if _git(root, "status", "--porcelain") else head
    except (OSError, subprocess.CalledProcessError):
        return package_version()


def versions() -> dict[str, str]:
    """Versions of Armillary, Python and the libraries and plug-ins that results depend on."""
    found = {name: version(name) for name in _LIBRARIES}
    ours = {"armillary": package_version(), "python": platform.python_version()}
    return {**ours, **found, **plugins.versions()}


def made_with(config: DictConfig) -> dict[str, Any]:
    """What every result says of its making: the resolved configuration, the commit, versions."""
    return {"config": to_dict(config), "commit": commit(), "versions": versions()}


def _git(root: Path, *words: str) -> str:
    command = ["git", "-C", str(root), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
