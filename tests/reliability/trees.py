"""What is in a folder: everything readable, and two folders compared without their times."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import yaml
from PIL import Image
from safetensors.numpy import load_file

_TIMES = re.compile(
    r"seconds|measured|started|ended|commit|versions|threads|training\.pt|identity|command|config|overwrite"
)
"""Keys of JSON files that differ between two runs of a command, or whose values may."""
_EVENTS = re.compile(r"events\.out\.tfevents\..*")
_UNCOMPARED = re.compile(r".*\.(log|html|pt)|(.*/)?events")
"""Files that hold times."""
_PHASES = {"collect", "train", "benchmark", "render"}


def names(folder: Path) -> set[str]:
    """The names of all files and folders, as far as they are the same for two runs."""
    found = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    return {_EVENTS.sub("events", name) for name in found}


def contents(folder: Path) -> dict[str, Any]:
    """Of every file what two runs of a command must have in common."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = _EVENTS.sub("events", str(path.relative_to(folder)))
        if path.is_file() and not _UNCOMPARED.fullmatch(name):
            found[name] = _timeless(path)
    return found


def unreadable(folder: Path) -> list[str]:
    """The files under their own names that cannot be read to their ends, and why."""
    wrong = []
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if not path.is_file() or any(part.startswith(".") for part in relative.parts):
            continue
        read = _READERS.get(path.suffix)
        try:
            if read is not None:
                read(path)
        except Exception as error:  # whatever a reader of any kind says
            wrong.append(f"{relative} cannot be read: {error!r}")
    return wrong


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """The names whose contents differ."""
    return [name for name in sorted({*there, *here}) if there.get(name) != here.get(name)]


def _timeless(path: Path) -> Any:
    if path.suffix != ".json":
        return path.read_bytes()
    content = json.loads(path.read_bytes())
    if isinstance(content, dict) and {"schema_version", *_PHASES} == set(content):
        return None  # a demo's seconds
    return _without_times(content)


def _without_times(content: Any) -> Any:
    if isinstance(content, dict):
        kept = {key: value for key, value in content.items() if not _TIMES.search(key)}
        return {key: _without_times(value) for key, value in kept.items()}
    if isinstance(content, list):
        return [_without_times(value) for value in content]
    return content


def _read_hdf5(path: Path) -> None:
    with h5py.File(path, "r") as file:
        file.visititems(lambda _, item: item[()] if isinstance(item, h5py.Dataset) else None)


def _read_picture(path: Path) -> None:
    with Image.open(path) as picture:
        for frame in range(getattr(picture, "n_frames", 1)):
            picture.seek(frame)
            picture.load()


def _read_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def _read_page(path: Path) -> None:
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>"), "cut off"


_READERS: dict[str, Callable[[Path], object]] = {
    ".h5": _read_hdf5,
    ".json": lambda path: json.loads(path.read_bytes()),
    ".yaml": lambda path: yaml.safe_load(path.read_text(encoding="utf-8")),
    ".gif": _read_picture,
    ".png": _read_picture,
    ".npz": _read_archive,
    ".pt": _read_archive,
    ".pt2": _read_archive,
    ".html": _read_page,
    ".safetensors": load_file,
}
