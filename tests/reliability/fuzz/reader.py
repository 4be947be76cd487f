"""What is fuzzed: a reader of files, whole files for it, and how they are damaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

Files = Mapping[str, bytes]
"""The content of files by their path below a folder."""


LOOKED_AT = 0.5
"""The share of readers of HDF5, each case of which takes ten times as long as others'."""


@dataclass(frozen=True)
class Reader:
    """A public reader.

    Attributes:
        name: of it.
        make: whole files that it reads, one set or several; called once.
        damage: other files, made of one of the sets and of nothing but the random numbers.
        read: reads all there is in a folder that holds the files, as the verbs do.
        share: of the cases, against that of others.
        writes: whether it changes the folder, which is then made anew for each case.
    """

    name: str
    make: Callable[[], list[Files]]
    damage: Callable[[Random, Files], Files]
    read: Callable[[Path], object]
    share: float = 1
    writes: bool = False


def case(reader: Reader, whole: list[Files], seed: int, index: int) -> Files:
    """The files of a case, a function of the reader, the seed and the index alone."""
    random = Random(f"{reader.name} {seed} {index}")
    return reader.damage(random, whole[random.randrange(len(whole))])


def replaced(random: Random, files: Files, name: str, content: bytes) -> Files:
    """The files with one of them replaced; now and then with that one missing."""
    if random.random() < 0.01:
        return {key: value for key, value in files.items() if key != name}
    return {**files, name: content}
