"""What a command writes: never its own input, nothing but files, and by one process at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from omegaconf import DictConfig

from armillary.experiments.command.config import flatten, to_dict
from armillary.files import check_not_read, check_replaceable, remove_leftovers
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
        ArmillaryError: a file is also read by the command, something that is no regular file is in
            a place, or another process writes there.
        OSError: a folder cannot be made or written to.
    """
    files = files_of(config)
    for name, path in files.items():
        if not path.is_dir():  # verbs say themselves what they want with one
            check_replaceable(path)
            check_not_read(path, name, _read(config))
    with ExitStack() as held:
        for path in files.values():
            missing = [folder for folder in path.parents if not folder.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            held.callback(_remove_empty, missing)
            held.enter_context(locked(path, command, outside=True))
            if not path.is_dir():
                remove_leftovers(path)
        yield


def _remove_empty(made: list[Path]) -> None:
    """Removes folders, the innermost first, as far as nothing is in them."""
    for folder in made:
        with suppress(OSError):
            folder.rmdir()


def _read(config: DictConfig) -> Iterator[tuple[str, Path]]:
    """The files that options name, and those of the checkpoint that one names."""
    for key, value in flatten(to_dict(config)).items():
        for given in value if isinstance(value, list) else [value]:
            if key in _FILE_KEYS or not isinstance(given, str) or not given:
                continue
            path = Path(os.path.expanduser(given))
            with suppress(OSError, ValueError):  # many are no paths
                if path.is_file():
                    yield key, path
                elif key == "checkpoint" and path.is_dir():
                    yield from ((key, file) for file in path.rglob("*") if file.is_file())
