"""Damages zip archives: the fields of their directories, their entries, arrays inside them."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from collections.abc import Callable
from random import Random

from tests.reliability.fuzz.mutate import raw

_RECORDS = {
    b"PK\x01\x02": 46,
    b"PK\x03\x04": 30,
    b"PK\x05\x06": 22,
    b"PK\x06\x06": 56,
    b"PK\x07\x08": 16,
}
"""The fixed parts of a zip file by their signatures, and their sizes in bytes."""
_NAMES = ("", "x", "../x", "/x", "frames.npy", "a" * 300, "data.pkl", "x/", "é.npy", "version")

Damage = Callable[[Random, bytes], bytes]


def damaged(random: Random, content: bytes, entry: Damage = raw.damaged) -> bytes:
    """An archive whose bytes, directory or entries are others.

    Args:
        random: decides.
        content: of the archive.
        entry: damages the content of an entry, whose checksum is then right.
    """
    kind = random.random()
    if kind < 0.2:
        return raw.damaged(random, content)
    if kind < 0.5:
        return _fields(random, content)
    return _entries(random, content, entry)


def npy_damaged(random: Random, content: bytes) -> bytes:
    """An array in NumPy's format with another header, or with damaged bytes."""
    if random.random() < 0.3:
        return raw.damaged(random, content)
    (length,) = struct.unpack("<H", content[8:10])
    header, body = content[10 : 10 + length].decode("latin-1"), content[10 + length :]
    for _ in range(random.choice((1, 1, 2))):
        old = random.choice(_parts(header))
        header = header.replace(old, random.choice(_HEADERS), 1)
    if random.random() < 0.2:
        body = random.choice((body[: len(body) // 2], b"", body * 2))
    written = header.encode("latin-1", "replace")[:65535]
    return content[:8] + struct.pack("<H", len(written)) + written + body


def _parts(header: str) -> list[str]:
    """Pieces of a header that something else can stand for."""
    descr = header[header.find(":") + 1 : header.find(", 'fortran")]
    shape = header[header.find("(") : header.find(")") + 1]
    return [descr.strip(), descr.strip(), shape, shape, "False", "'shape'", "'descr'", "{"]


_HEADERS = (
    *(
        "'|O'",
        "'<f8'",
        "'|u1'",
        "'|b1'",
        "'<c16'",
        "'<U4'",
        "'<U99999999'",
        "'|V8'",
        "'|S0'",
        "'<M8[s]'",
    ),
    *(
        "'<f3'",
        "''",
        "'x'",
        "[('a', '<f4'), ('b', '|u1', (3,))]",
        "[('a', '|O')]",
        "('<f4', (9, 9))",
    ),
    *(
        "()",
        "(0,)",
        "(1,)",
        "(-1,)",
        "(2, 2)",
        "(10**9,)",
        "(1099511627776, 4)",
        "(9223372036854775808,)",
    ),
    *(
        "(0, 9223372036854775807)",
        "(4294967296, 4294967296)",
        "(3, 2.0)",
        "(True,)",
        "('a',)",
        "[2, 3]",
    ),
    *(
        "True",
        "None",
        "1",
        "'x'",
        "(" * 3000,
        "-" * 3000 + "1",
        "[" * 90 + "]" * 90,
        "__import__('os')",
        "9" * 5000,
    ),
    *("{1: 2}", "{}", "\x00", "", " " * 20000, "{'a':", "1" + "+1" * 3000, "'\\ud800'", "(2,)*9"),
)


def _fields(random: Random, content: bytes) -> bytes:
    """A number in a directory or header of the archive replaced."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 3))):
        signature = random.choice(list(_RECORDS))
        places = _found(content, signature)
        if not places:
            continue
        size = random.choice((2, 4))
        place = random.choice(places) + random.randrange(4, _RECORDS[signature] - size, 2)
        number = random.choice((*raw.NUMBERS, 8, 9, 12, 14, 93, 99)) % 2 ** (8 * size)
        changed[place : place + size] = number.to_bytes(size, "little")
    return bytes(changed)


def _found(content: bytes, signature: bytes) -> list[int]:
    places, place = [], content.find(signature)
    while place >= 0:
        places.append(place)
        place = content.find(signature, place + 4)
    return places


def _entries(random: Random, content: bytes, damage: Damage) -> bytes:
    """The archive packed anew with entries that are damaged, missing, there twice or renamed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        held = [(info.filename, archive.read(info)) for info in archive.infolist()]
    chosen = random.randrange(len(held))
    name, data = held[chosen]
    match random.randrange(8):
        case 0:
            del held[chosen]
        case 1:
            held.append((name, damage(random, data)))
        case 2:
            held[chosen] = (random.choice(_NAMES), data)
        case 3:
            held = random.sample(held, random.randrange(len(held) + 1))
        case _:
            held[chosen] = (name, damage(random, data))
    packing = random.choice(
        (
            zipfile.ZIP_STORED,
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
            zipfile.ZIP_BZIP2,
            zipfile.ZIP_LZMA,
        )
    )
    return pack(held, packing)


def pack(held: list[tuple[str, bytes]], packing: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of entries, of the same bytes every time."""
    written = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(written, "w", packing) as archive:
        warnings.simplefilter("ignore")
        for name, data in held:
            info = zipfile.ZipInfo(name or "?", (1980, 1, 1, 0, 0, 0))
            info.compress_type = packing
            archive.writestr(info, data)
    return written.getvalue()
