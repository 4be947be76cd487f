"""Reads TFRecord files without TensorFlow, and checks every length, checksum and message."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Protocol

from armillary.errors import ArmillaryError
from armillary.world_models.data.schema import DataError

_HEADER, _FOOTER = struct.Struct("<QI"), struct.Struct("<I")
_GZIP = b"\x1f\x8b"
_MASK = 0xA282EAD8


class Feature(Protocol):
    """A value of a ``tf.train.Example``: one of three lists is filled."""

    bytes_list: Any
    float_list: Any
    int64_list: Any


def read_examples(path: Path) -> Iterator[Mapping[str, Feature]]:
    """The features of every ``tf.train.Example`` of an uncompressed file, by name.

    A record is its length (uint64, little-endian), the length's masked CRC-32C, that many bytes
    and their masked CRC-32C.

    Raises:
        DataError: a record is cut off or damaged; the message has its number, counted from 0.
        ArmillaryError: the package ``tfrecord`` is not installed.
    """
    example_pb2, decode_error, _ = _packages()
    for number, content in enumerate(read_records(path)):
        example = example_pb2.Example()
        try:
            example.ParseFromString(content)
        except decode_error as error:
            raise DataError(path, f"record {number} is no tf.train.Example ({error})") from error
        yield example.features.feature


def read_records(path: Path) -> Iterator[bytes]:
    """The contents of the records of an uncompressed file; see ``read_examples``."""
    _, _, crc32c = _packages()
    with open(path, "rb") as file:
        size, number = path.stat().st_size, 0
        while file.tell() < size:
            header = _read(file, _HEADER.size, size, path, number)
            length, checksum = _HEADER.unpack(header)
            if checksum != _masked(crc32c(header[:8])):
                if header.startswith(_GZIP):
                    raise DataError(path, "the file is compressed with gzip; unpack it first")
                raise DataError(
                    path, f"record {number} is damaged: its length has a wrong checksum"
                )
            content = _read(file, length, size, path, number)
            (checksum,) = _FOOTER.unpack(_read(file, _FOOTER.size, size, path, number))
            if checksum != _masked(crc32c(content)):
                raise DataError(path, f"record {number} is damaged: it has a wrong checksum")
            yield content
            number += 1


def _read(file: IO[bytes], count: int, size: int, path: Path, number: int) -> bytes:
    left = size - file.tell()
    if left < count:
        raise DataError(
            path,
            f"record {number} is cut off: it needs {count} more bytes, the file has {left}; "
            "download the file again",
        )
    return file.read(count)


def _masked(checksum: int) -> int:
    """The form in which a checksum is stored."""
    return ((checksum >> 15 | checksum << 17) + _MASK) & 0xFFFFFFFF


def _packages() -> tuple[Any, type[Exception], Any]:
    """The messages of ``tfrecord``, the error of its decoder and the checksum."""
    try:
        from crc32c import crc32c
        from google.protobuf.message import DecodeError
        from tfrecord import example_pb2
    except ImportError as error:
        raise ArmillaryError(
            f"reading TFRecord files needs the package tfrecord ({error}): "
            "pip install 'armillary[bair]'"
        ) from error
    return example_pb2, DecodeError, crc32c
