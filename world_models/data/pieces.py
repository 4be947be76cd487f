"""Pieces of a file wait in a folder beside it until all are there and are joined."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from armillary.world_models.data.reader import EpisodeFile
from armillary.world_models.data.schema import DataError, Provenance
from armillary.world_models.data.sources.source import Episode, read_episode
from armillary.world_models.data.writer import EpisodeWriter

MADE_OF = "made_of"
"""Root attribute of a file: a digest of everything that its content depends on."""
_SPLIT = "train"
"""Where the episodes of a piece lie in its own file, whatever split they belong to."""


def digest(*identity: object) -> str:
    """A hexadecimal SHA-256 of what things are, by their ``repr``."""
    return sha256(repr(identity).encode()).hexdigest()


def pieces_folder(path: Path) -> Path:
    """Where the pieces of a file wait: ``.NAME.parts`` beside NAME."""
    return path.with_name(f".{path.name}.parts")


@contextmanager
def waiting(path: Path) -> Iterator[Path]:
    """The folder of a file's pieces.

    It is removed when the block ends, which is when the file is there. A block that raises leaves
    the pieces for the next one.
    """
    folder = pieces_folder(path)
    folder.mkdir(exist_ok=True)
    try:
        yield folder
    except BaseException:
        with suppress(OSError):  # pieces are in it
            folder.rmdir()
        raise
    shutil.rmtree(folder)


def piece_path(folder: Path, *identity: object) -> Path:
    """Where a piece lies: another file for another identity. A file that is there is whole."""
    return folder / f"{digest(*identity)[:24]}.h5"


def write_piece(path: Path, origin: Provenance, episodes: Iterable[tuple[Episode, str]]) -> None:
    """Writes a piece.

    Args:
        path: see ``piece_path``.
        origin: where the episodes come from.
        episodes: at least one, each with the name that errors call it by.

    Raises:
        DataError: there is none, or they differ in shape.
    """
    with EpisodeWriter(path, origin) as writer:
        for episode, name in episodes:
            _add(writer, _SPLIT, episode, name)


def count(path: Path) -> int:
    """How many episodes a piece has."""
    return EpisodeFile(path).splits[_SPLIT].episodes


def join(
    writer: EpisodeWriter, pieces: Iterable[tuple[Path, str]], splits: Sequence[str]
) -> Iterator[str]:
    """Appends all episodes of all pieces to a file, in order.

    Args:
        writer: of the file, open.
        pieces: each with the name that errors call it by.
        splits: of every episode.

    Yields:
        The split of every episode once it is written.
    """
    names = iter(splits)
    for path, name in pieces:
        split = EpisodeFile(path).split(_SPLIT)
        for index in range(len(split)):
            chosen = next(names)
            _add(writer, chosen, read_episode(split, index), name)
            yield chosen


def is_made_of(path: Path, made_of: str) -> bool:
    """Whether a file is there that says that it was made of the same; see ``MADE_OF``."""
    try:
        return EpisodeFile(path, actions=False).attributes.get(MADE_OF) == made_of
    except DataError:
        return False


def _add(writer: EpisodeWriter, split: str, episode: Episode, name: str) -> None:
    try:
        writer.add(split, episode.frames, episode.actions, episode.masks, episode.extras)
    except DataError as error:
        raise DataError(name, str(error.args[1])) from error
