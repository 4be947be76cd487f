"""Converts a data set part by part, so that an interruption loses only the parts under way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from armillary.errors import ArmillaryError
from armillary.world_models.data.reader import EpisodeFile
from armillary.world_models.data.schema import SPLITS, DataError, Provenance
from armillary.world_models.data.sources.source import Episode, Part, Source, read_episode
from armillary.world_models.data.writer import EpisodeWriter

_SPLIT = "train"
"""Where the episodes of a part lie in its own file, whatever split they belong to."""


def part_path(source: Source, part: Part, folder: Path) -> Path:
    """Where the converted part lies: another file for other settings or another content."""
    digest = hashlib.sha256(repr((source, part)).encode()).hexdigest()
    return folder / f"{digest[:24]}.h5"


def convert_part(source: Source, part: Part, folder: Path) -> int:
    """Writes a part to a file of its own in ``folder``, unless it is there.

    Returns:
        How many episodes it has.

    Raises:
        DataError: the part cannot be read, or its episodes differ in shape.
    """
    path = part_path(source, part, folder)
    if not path.exists():
        origin = Provenance(source.name, source.policy, 0, source.action_meaning, command="")
        with EpisodeWriter(path, origin) as writer:
            for number, episode in enumerate(source.episodes(part)):
                _add(writer, _SPLIT, episode, f"{part.path}: episode {part.start + number}")
    return EpisodeFile(path).splits[_SPLIT].episodes


def merge(
    writer: EpisodeWriter,
    source: Source,
    parts: Sequence[Part],
    splits: Sequence[str],
    folder: Path,
) -> Iterator[str]:
    """Appends all converted parts to a file, in order.

    Args:
        writer: of the file, open.
        source: of the parts.
        parts: all of them, converted.
        splits: for every episode, as ``assign_splits`` gives them.
        folder: of the converted parts.

    Yields:
        The split of every episode once it is written.
    """
    names = iter(splits)
    for part in parts:
        split = EpisodeFile(part_path(source, part, folder)).split(_SPLIT)
        for index in range(len(split)):
            name = next(names)
            _add(writer, name, read_episode(split, index), str(part.path))
            yield name


def assign_splits(
    parts: Sequence[Part], counts: Sequence[int], shares: dict[str, float]
) -> list[str]:
    """The split of every episode.

    A split that the data set has not is cut off the end of its split train: neighbours, which are
    often alike, then stay together.

    Args:
        parts: of the data set.
        counts: episodes of each part.
        shares: of the train episodes, for val and test; a share above 0 takes at least one episode.

    Raises:
        ArmillaryError: nothing would be left to train on.
    """
    own = {part.split for part in parts}
    train = sum(count for part, count in zip(parts, counts, strict=True) if part.split == "train")
    taken = {
        name: max(1, round(share * train))
        for name, share in shares.items()
        if name not in own and share > 0 and train > 0
    }
    left = train - sum(taken.values())
    if taken and left < 1:
        cut = " and ".join(f"{count} for {name}" for name, count in taken.items())
        raise ArmillaryError(
            f"of {train} train episodes, {cut} leave none to train on; cut off fewer"
        )
    of_train = iter(["train"] * left + [n for n in SPLITS for _ in range(taken.get(n, 0))])
    return [
        next(of_train) if part.split == "train" else part.split
        for part, count in zip(parts, counts, strict=True)
        for _ in range(count)
    ]


def _add(writer: EpisodeWriter, split: str, episode: Episode, where: str) -> None:
    try:
        writer.add(split, episode.frames, episode.actions, episode.masks, episode.extras)
    except DataError as error:
        raise DataError(where, str(error.args[1])) from error
