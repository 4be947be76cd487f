"""What a command writes: never its own input, nothing but files, and by one process at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig

from armillary.experiments.command.config import flatten, to_dict
from armillary.experiments.command.errors import UsageError
from armillary.files import check_replaceable, remove_leftovers
from armillary.locks import locked

_FILE_KEYS = ("out", "output")
"""Options that name a file which a command writes; ``output`` does where there is a ``record``."""


def files_of(config: DictConfig) -> dict[str, Path]:
    """The files that a command writes outside its run's directory, by their options."""
    there = {"out": "out" in config, "output": "record" in config}
    return {name: Path(str(config[name])).expanduser() for name in _FILE_KEYS if there[name]}


@contextmanager
def reserved(config: DictConfig, command: str) -> Iterator[None]:
    """Holds the files that a command writes, and removes what dead processes left of them.

    Args:
        config: composed.
        command: for others to read who want to write there.

    Raises:
        UsageError: a file is also read by the command.
        ArmillaryError: something that is no regular file is in a place, or another process writes
            there.
        OSError: a folder cannot be made or written to.
    """
    files = files_of(config)
    for name, path in files.items():
        if not path.is_dir():  # verbs say themselves what they want with one
            check_replaceable(path)
            _check_no_input(config, name, path)
    with _all_locked(list(files.values()), command):
        yield


@contextmanager
def _all_locked(paths: list[Path], command: str) -> Iterator[None]:
    if not paths:
        yield
        return
    first, *others = paths
    missing = [folder for folder in first.parents if not folder.exists()]
    first.parent.mkdir(parents=True, exist_ok=True)
    try:
        with locked(first, command):
            remove_leftovers(first)
            with _all_locked(others, command):
                yield
    finally:
        for folder in missing:
            if not any(folder.iterdir()):
                folder.rmdir()


def _check_no_input(config: DictConfig, name: str, path: Path) -> None:
    """Raises UsageError if another option names the file, however it is spelt or linked."""
    if not path.exists():
        return
    for key, value in flatten(to_dict(config)).items():
        for given in value if isinstance(value, list) else [value]:
            if key in _FILE_KEYS or not isinstance(given, str) or not given:
                continue
            try:
                same = os.path.samefile(os.path.expanduser(given), path)
            except (OSError, ValueError):
                continue
            if same:
                raise UsageError(
                    f"{name}={path} is the file that {key}={given} reads; write to another one"
                )
