"""The verb ``new``: the skeleton of a plug-in, which is the example of this project renamed."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
import tempfile
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
    if output.exists() or output.is_symlink():
        raise UsageError(f"{output} is there already; choose another name, or output=FOLDER")
    write(TEMPLATES / config.what, output, name)
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


def write(template: Path, output: Path, name: str) -> None:
    """Copies a template to a folder, with another name; all of it or nothing is there."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as scratch:
        whole = Path(scratch, output.name)
        for path in sorted(template.rglob("*")):
            if path.is_file() and not _MADE & set(path.relative_to(template).parts):
                target = whole / str(path.relative_to(template)).replace(EXAMPLE, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                text = path.read_text(encoding="utf-8")
                target.write_text(text.replace(EXAMPLE, name), encoding="utf-8")
        whole.rename(output)


_MADE = {"__pycache__", ".pytest_cache", f"{EXAMPLE}.egg-info", "build"}
"""What tools leave in a folder that is used."""
