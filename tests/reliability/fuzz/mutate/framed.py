"""Damages files of TensorFlow's records, with checksums that fit, so that all is read."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random

from crc32c import crc32c

from tests.reliability.fuzz.mutate import raw


def damaged(
    random: Random, content: bytes, record: Callable[[Random, bytes], bytes] = raw.damaged
) -> bytes:
    """Records that are damaged, missing, there twice or out of order.

    Args:
        random: decides.
        content: of the file.
        record: damages what a record holds.
    """
    kind = random.random()
    if kind < 0.2:
        return raw.damaged(random, content)
    held = unframed(content)
    chosen = random.randrange(len(held))
    if kind < 0.85:
        held[chosen] = record(random, held[chosen])
    elif kind < 0.9:
        del held[chosen]
    elif kind < 0.95:
        random.shuffle(held)
    else:
        held.insert(chosen, held[random.randrange(len(held))])
    return framed(held)


def framed(records: Sequence[bytes]) -> bytes:
    """A file of records."""
    return b"".join(
        head + _checksum(head) + record + _checksum(record)
        for record in records
        for head in [struct.pack("<Q", len(record))]
    )


def unframed(content: bytes) -> list[bytes]:
    """The records of a whole file."""
    records, place = [], 0
    while place < len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        records.append(content[place + 12 : place + 12 + length])
        place += 16 + length
    return records


def _checksum(content: bytes) -> bytes:
    value = crc32c(content)
    return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)
