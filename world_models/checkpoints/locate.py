"""Finding the checkpoint that a path or a bundled name stands for."""

from __future__ import annotations

from pathlib import Path

from armillary.errors import ArmillaryError
from armillary.suggestions import suggest

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
BUNDLED_ROOT = Path(__file__).parent.parent / "pretrained"


class CheckpointError(ArmillaryError):
    """A checkpoint is missing, damaged, or not what this version can use."""


def bundled_checkpoints() -> tuple[str, ...]:
    """The names of the checkpoints that come with the package, ``pretrained/push_blocks`` say."""
    found = sorted(BUNDLED_ROOT.rglob(WEIGHTS_FILE))
    return tuple(path.parent.relative_to(BUNDLED_ROOT.parent).as_posix() for path in found)


def find_checkpoint(source: str | Path) -> Path:
    """The checkpoint directory of a bundled name, a run, its checkpoints folder or a checkpoint.

    A bundled name wins over a relative path of the same spelling. Of a run or a checkpoints folder
    it is ``best``, or ``last`` where there is no best yet.

    Raises:
        CheckpointError: there is none.
    """
    if str(source) in bundled_checkpoints():
        return BUNDLED_ROOT.parent / source
    path = Path(source).expanduser()
    for part in ("", "best", "last", "checkpoints/best", "checkpoints/last"):
        candidate = settled(path / part)
        if (candidate / CONFIG_FILE).is_file() or (candidate / WEIGHTS_FILE).is_file():
            return candidate
    problem = "is a directory without a checkpoint" if path.is_dir() else "is not a directory"
    raise CheckpointError(
        f"no checkpoint found: {str(source)!r} {problem}. Give a run directory, its checkpoints "
        "folder, one checkpoint in it, or the name of a bundled checkpoint; for a bundled one "
        f"{suggest(str(source), bundled_checkpoints())}"
    )


def settled(directory: Path) -> Path:
    """The directory, or what it replaced where a save was killed between its two renames."""
    previous = previous_of(directory)
    return previous if previous.exists() and not directory.exists() else directory


def previous_of(directory: Path) -> Path:
    """Where a save keeps the former checkpoint until the new one is in place."""
    return directory.parent / f".{directory.name}.old"
