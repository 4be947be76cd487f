"""Damages bytes, whatever they mean: flips, cuts, insertions, pieces twice, zeros, numbers."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

NUMBERS = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)
NUMBERS += (2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
_MOST = 4


def damaged(random: Random, content: bytes) -> bytes:
    """One to four kinds of damage, one after the other."""
    changed = bytearray(content)
    for _ in range(random.randint(1, _MOST)):
        random.choice(_KINDS)(random, changed)
    return bytes(changed)


def _place(random: Random, content: bytearray) -> int:
    """Somewhere, rather where something is than in a run of zeros."""
    place = random.randrange(len(content))
    for _ in range(3):
        if content[place]:
            break
        place = random.randrange(len(content))
    return place


def _flip(random: Random, content: bytearray) -> None:
    for _ in range(random.randint(1, 4)):
        if content:
            content[_place(random, content)] ^= 1 << random.randrange(8)


def _set(random: Random, content: bytearray) -> None:
    if content:
        content[_place(random, content)] = random.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))


def _number(random: Random, content: bytearray) -> None:
    if content:
        size = random.choice((2, 4, 8))
        number = random.choice(NUMBERS) % 2 ** (8 * size)
        place = _place(random, content)
        content[place : place + size] = number.to_bytes(size, random.choice(("little", "big")))


def _cut(random: Random, content: bytearray) -> None:
    del content[random.randrange(len(content) + 1) :]


def _remove(random: Random, content: bytearray) -> None:
    start = random.randrange(len(content) + 1)
    del content[start : start + random.choice((1, 2, 8, 100, 4096))]


def _insert(random: Random, content: bytearray) -> None:
    start = random.randrange(len(content) + 1)
    count = random.choice((1, 2, 4, 8, 64))
    content[start:start] = random.choice((random.randbytes(count), bytes(count), b"\xff" * count))


def _twice(random: Random, content: bytearray) -> None:
    start = random.randrange(len(content) + 1)
    piece = content[start : start + random.choice((1, 8, 64, 512))]
    content[start:start] = piece * random.choice((1, 1, 2, 20))


def _move(random: Random, content: bytearray) -> None:
    start, target = (random.randrange(len(content) + 1) for _ in range(2))
    piece = content[start : start + random.choice((4, 8, 64, 512))]
    content[target : target + len(piece)] = piece


def _zeros(random: Random, content: bytearray) -> None:
    start = random.randrange(len(content) + 1)
    stop = min(len(content), start + random.choice((1, 8, 64, 512, 4096)))
    content[start:stop] = bytes(stop - start)


_KINDS: tuple[Callable[[Random, bytearray], None], ...] = (
    _flip,
    _flip,
    _flip,
    _set,
    _number,
    _number,
    _cut,
    _remove,
    _insert,
    _twice,
    _move,
    _zeros,
)
