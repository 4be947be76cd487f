"""The verb ``new``: the skeleton of a plug-in, which is the example of this project renamed."""

from __future__ import annotations

import importlib.util
import keyword
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig

from armillary.errors import shortened
from armillary.experiments import templates
from armillary.experiments.command.console import results
from armillary.experiments.command.errors import UsageError
from armillary.suggestions import suggest

TEMPLATES = Path(next(iter(templates.__path__)))
EXAMPLE = "example_plugin"
"""The name that stands wherever the new one is written, in files and in their names."""


def run(config: DictConfig) -> Path:
    """Writes the folder and returns it.

    Raises:
        UsageError: there is no such template, the name is none for a module or is taken, or there
            is something in the place of the folder.
    """
    valid = sorted(path.name for path in TEMPLATES.iterdir() if path.is_dir())
    if config.what not in valid:
        raise UsageError(f"unknown template {config.what!r}; {suggest(str(config.what), valid)}")
    name = check_name(str(config.name))
    output = Path(config.output).expanduser()
    files = renamed(TEMPLATES / config.what, name)
    if not _is_written(files, output):
        if output.exists() or output.is_symlink():
            raise UsageError(f"{output} is there already; choose another name, or output=FOLDER")
        output.parent.mkdir(parents=True, exist_ok=True)
        write(files, output)
    results.print(f"{output}  pip install -e {output}, then pytest in it", soft_wrap=True)
    return output


def check_name(name: str) -> str:
    """The name of a module that nothing else has.

    Raises:
        UsageError: it is not.
    """
    shown = shortened(name, 60)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name) or len(name) > 60:
        raise UsageError(
            f"name must be that of a module such as my_pack: small letters, digits and _, at most "
            f"60, no word of Python; got {shown!r}"
        )
    if name in sys.stdlib_module_names or importlib.util.find_spec(name):
        raise UsageError(f"there is a module {shown!r} already, which would hide the new one")
    return name


def write(files: Mapping[str, str], output: Path) -> None:
    """Writes texts by their paths in a folder; all of them or nothing is there."""
    scratch = output.with_name(f".{output.name}.partial")
    if scratch.exists():  # of a command that was killed
        shutil.rmtree(scratch)
    try:
        for name, text in files.items():
            path = scratch / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        scratch.rename(output)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def renamed(template: Path, name: str) -> dict[str, str]:
    """The texts of a template by their paths in it, with another name in both."""
    found = {
        str(path.relative_to(template)): path.read_text(encoding="utf-8")
        for path in sorted(template.rglob("*"))
        if path.is_file() and not _MADE & set(path.relative_to(template).parts)
    }
    return {
        path.replace(EXAMPLE, name): text.replace(EXAMPLE, name) for path, text in found.items()
    }


def _is_written(files: Mapping[str, str], output: Path) -> bool:
    """Whether a folder holds the texts, as after a command that was killed at its very end."""
    return output.is_dir() and all(
        (output / name).is_file() and (output / name).read_bytes() == text.encode()
        for name, text in files.items()
    )


_MADE = {"__pycache__", ".pytest_cache", f"{EXAMPLE}.egg-info", "build"}
"""What tools leave in a folder that is used."""
