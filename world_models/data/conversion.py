"""Converts a data set part by part, so that an interruption loses only the parts under way."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

from armillary.errors import ArmillaryError
from armillary.world_models.data.pieces import count, digest, piece_path, write_piece
from armillary.world_models.data.schema import SPLITS, Provenance
from armillary.world_models.data.sources.source import Part, Source

_ENDS = 64 << 10
"""Bytes at each end of a file that tell it from another one of the same name and size."""


def part_path(source: Source, part: Part, folder: Path) -> Path:
    """Where the converted part lies: another file for other settings or another content."""
    return piece_path(folder, source, part)


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
        write_piece(
            path,
            origin,
            (
                (episode, f"{part.path}: episode {part.start + number}")
                for number, episode in enumerate(source.episodes(part))
            ),
        )
    return count(path)


def content_of(parts: Sequence[Part]) -> str:
    """A digest of what the parts hold, the same wherever their files lie.

    Of each file it takes the name, the size and both ends.

    Raises:
        OSError: a file cannot be read.
    """
    ends = cache(_ends)
    return digest(*((p.split, p.path.name, ends(p.path), p.start, p.stop) for p in parts))


def _ends(path: Path) -> tuple[int, str]:
    """The size of a file in bytes, and a digest of its beginning and end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        content = file.read(_ENDS)
        file.seek(max(0, size - _ENDS))
        return size, sha256(content + file.read(_ENDS)).hexdigest()


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
