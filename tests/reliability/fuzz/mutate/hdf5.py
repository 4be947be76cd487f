"""Damages HDF5 files: other types, shapes, links, filters and storage; or their bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from random import Random
from typing import Any

import h5py
import numpy as np

from tests.reliability.fuzz.mutate import raw

Put = Callable[[h5py.File], None]


def content_of(
    arrays: Mapping[str, np.ndarray], attributes: Mapping[str, Any], version: str = "earliest"
) -> bytes:
    """A whole file in the old format or, for ``version``, a later one."""

    def fill(file: h5py.File) -> None:
        file.attrs.update(attributes)
        for name, array in arrays.items():
            file.create_dataset(name, data=array, chunks=True)

    return _written(fill, version)


def damaged(random: Random, content: bytes) -> bytes:
    """Half the time damaged bytes, else a file whose structure is another; at times both."""
    if random.random() < 0.5:
        return raw.damaged(random, content)
    held = {**_read(content)}
    for _ in range(random.choice((1, 1, 2))):
        random.choice(_KINDS)(random, held)
    version = "v110" if _is_late(content) else "earliest"
    changed = _written(lambda file: _fill(file, held), version)
    return raw.damaged(random, changed) if random.random() < 0.1 else changed


@cache
def _read(content: bytes) -> dict[str, Any]:
    """Arrays by path, attributes by ``@name``."""
    with h5py.File(io.BytesIO(content), "r") as file:
        held: dict[str, Any] = {f"@{name}": value for name, value in file.attrs.items()}

        def visit(name: str, found: h5py.Dataset | h5py.Group) -> None:
            if isinstance(found, h5py.Dataset):
                held[name] = found[()]

        file.visititems(visit)
    return held


def _is_late(content: bytes) -> bool:
    """Whether what describes the data has checksums."""
    return content[8] >= 3


def _written(fill: Put, version: str) -> bytes:
    with h5py.File(
        "case.h5", "w", driver="core", backing_store=False, libver=(version, "v110")
    ) as file:
        fill(file)
        file.flush()
        return file.id.get_file_image()


def _fill(file: h5py.File, held: Mapping[str, Any]) -> None:
    """What cannot be written is left out, so that every case is a file."""
    for name, value in held.items():
        try:
            if isinstance(value, _Special):
                value.put(file, name.removeprefix("@"))
            elif name.startswith("@"):
                file.attrs[name[1:]] = value
            else:
                file[name] = value
        except (OSError, ValueError, TypeError, RuntimeError, KeyError, NotImplementedError):
            continue


class _Special:
    """Something that is put under a name in a way of its own."""

    def __init__(self, put: Callable[[h5py.File, str], None]) -> None:
        self.put = put


def _arrays(held: Mapping[str, Any]) -> list[str]:
    return [n for n, v in held.items() if not n.startswith("@") and isinstance(v, np.ndarray)]


def _kind(random: Random, held: dict[str, Any]) -> None:
    """Another type of numbers or of something else."""
    if names := _arrays(held):
        name = random.choice(names)
        array = held[name]
        kind = random.choice(_TYPES)
        if isinstance(kind, str):
            with np.errstate(all="ignore"), suppress(ValueError):  # texts that are no numbers stay
                held[name] = array.astype(kind)
        else:
            held[name] = _Special(lambda file, name: _empty(file, name, array.shape, kind))


_TYPES: tuple[Any, ...] = (
    *("<f2", "<f4", ">f8", "<i1", ">i2", "<i8", "<u4", "?", "<c8", "S3", "longdouble"),
    h5py.string_dtype(),
    h5py.string_dtype("ascii"),
    h5py.vlen_dtype(np.int32),
    h5py.ref_dtype,
    h5py.regionref_dtype,
    h5py.enum_dtype({"A": 0, "B": 1}, "u1"),
    np.dtype("V5"),
    np.dtype([("a", "<f4"), ("b", "u1", (3,))]),
    np.dtype(("<f4", (3,))),
    h5py.opaque_dtype(np.dtype("<M8[s]")),
)


def _empty(file: h5py.File, name: str, shape: tuple[int, ...], kind: Any) -> None:
    file.create_dataset(name, shape, kind)


def _shape(random: Random, held: dict[str, Any]) -> None:
    """Other axes."""
    if names := _arrays(held):
        name = random.choice(names)
        array = held[name]
        if not array.ndim or not array.size:
            return
        axis = random.randrange(array.ndim)
        held[name] = random.choice(
            (
                lambda: array[..., None],
                lambda: array[0],
                lambda: array[:0],
                lambda: array.take([], axis),
                lambda: array.take([0], axis),
                lambda: array.swapaxes(axis, 0),
                lambda: np.repeat(array, 2, axis),
                lambda: array.reshape(-1),
                lambda: array.flat[0],
                lambda: array[(None,) * 20],
            )
        )()


def _huge(random: Random, held: dict[str, Any]) -> None:
    """Sizes that no bytes stand behind."""
    if names := _arrays(held):
        name = random.choice(names)
        array = held[name]
        count = random.choice((10**4, 10**6, 2**31, 2**40, 2**62))
        axes = random.sample(range(array.ndim), random.randint(0, array.ndim))
        shape = tuple(count if axis in axes else size for axis, size in enumerate(array.shape))
        chunks = random.choice((None, True, tuple(min(size, 4) or 1 for size in shape)))
        packed = random.choice((None, "gzip")) if chunks else None
        held[name] = _Special(
            lambda file, name: file.create_dataset(
                name, shape, array.dtype, chunks=chunks, compression=packed
            )
        )


def _values(random: Random, held: dict[str, Any]) -> None:
    """NaN, infinite, negative and huge numbers."""
    if names := _arrays(held):
        name = random.choice(names)
        array = held[name]
        if array.dtype.kind not in "fiu" or not array.size:
            return
        odd = (np.nan, np.inf, -1.0, 3e38, 1e300, 256.0, 0.5)
        changed = array.astype("f8") if array.dtype.kind != "f" else array.copy()
        with np.errstate(all="ignore"):
            changed.flat[random.randrange(array.size)] = random.choice(odd)
        held[name] = changed


def _filter(random: Random, held: dict[str, Any]) -> None:
    """Chunks of another make."""
    if names := _arrays(held):
        name = random.choice(names)
        array = held[name]
        how: dict[str, Any] = random.choice(
            (
                {"compression": "gzip"},
                {"compression": "lzf"},
                {"shuffle": True, "fletcher32": True},
                {"scaleoffset": 1},
                {"maxshape": (None,) * array.ndim},
                {"chunks": (1,) * array.ndim},
                {"fillvalue": 7},
                {"external": [("other.bin", 0, h5py.h5f.UNLIMITED)]},
            )
        )
        held[name] = _Special(lambda file, name: _make(file, name, array, how))


def _make(file: h5py.File, name: str, array: np.ndarray, how: Mapping[str, Any]) -> None:
    if "external" in how:
        file.create_dataset(name, array.shape, array.dtype, **how)
    else:
        file.create_dataset(name, data=array, **how)


def _link(random: Random, held: dict[str, Any]) -> None:
    """Links that lead in a circle, nowhere or out of the file; groups and types as arrays."""
    names = [name for name in held if not name.startswith("@")]
    if names:
        name = random.choice(names)
        group = name.partition("/")[0]
        held[random.choice((name, group))] = (
            held.pop(name, 0) if random.random() < 0.05 else _Special(random.choice(_LINKS))
        )


def _put_link(link: Any) -> Callable[[h5py.File, str], None]:
    def put(file: h5py.File, name: str) -> None:
        if name in file:
            del file[name]
        file[name] = link

    return put


def _circle(file: h5py.File, name: str) -> None:
    file[name] = file["/"]


def _virtual(file: h5py.File, name: str) -> None:
    layout = h5py.VirtualLayout((2, 3, 4, 4, 3), "u1")
    layout[:] = h5py.VirtualSource("other.h5", "imgs", (2, 3, 4, 4, 3))
    file.create_virtual_dataset(name, layout)


_LINKS: tuple[Callable[[h5py.File, str], None], ...] = (
    _circle,
    _virtual,
    _put_link(h5py.SoftLink("/nowhere")),
    _put_link(h5py.SoftLink("/")),
    _put_link(h5py.SoftLink(".")),
    _put_link(h5py.SoftLink("/train/imgs")),
    _put_link(h5py.ExternalLink("other.h5", "/")),
    _put_link(h5py.ExternalLink("/etc/hostname", "/x")),
    _put_link(h5py.ExternalLink("case.h5", "/train")),
    _put_link(np.dtype("<f4")),
    _put_link(np.dtype([("a", "<f4")])),
    _put_link(h5py.Empty("<f4")),
    lambda file, name: _put_link(h5py.SoftLink(f"/{name}"))(file, name),
    lambda file, name: _put_link(file.create_group(f"{name}_group"))(file, name),
)


def _names(random: Random, held: dict[str, Any]) -> None:
    """Something removed, renamed or put beside the others."""
    if not held:
        return
    name = random.choice(list(held))
    value = held.pop(name)
    match random.randrange(4):
        case 0:
            held[f"{name}_"] = value
        case 1:
            held[name] = value
            held[f"{name}_more"] = value
        case 2:
            held[name] = value
            place = random.choice(
                ("more", "train/more", "val", "train/\udcff", "train/a\nb", "test/imgs")
            )
            held[place] = value


def _attribute(random: Random, held: dict[str, Any]) -> None:
    """An attribute of another type, or one where none is looked for."""
    names = [name for name in held if name.startswith("@")] or ["@more"]
    name = random.choice((*names, "@more", "@layout", "@frame_maximum", "@environment_frameskip"))
    held[name] = random.choice(_ATTRIBUTES)


_ATTRIBUTES: tuple[Any, ...] = (
    *(0, 1, 2, -1, 255, 1.0, 0.5, float("nan"), float("inf"), 2**62, True, 1 + 2j),
    *(
        "",
        "x",
        "episodes",
        "reference",
        "é\n",
        "x" * 60000,
        b"bytes",
        b"armillary-episodes",
        b"\xff",
    ),
    *(
        np.bytes_(b"x"),
        np.uint8(1),
        np.float16(1),
        np.array([1]),
        np.array([[1.0, 2.0]]),
        np.array([]),
    ),
    *(np.array("armillary-episodes", "S18"), np.void(b"ab"), h5py.Empty("f4"), h5py.Empty("S3")),
    *(
        [1, 2, 3],
        ["a", "b"],
        np.zeros(8000),
        np.array([b"a"], object),
        np.array((1, 2.0), "i4, f4"),
    ),
    _Special(lambda file, name: file.attrs.create(name, file.ref, dtype=h5py.ref_dtype)),
    _Special(lambda file, name: file.attrs.create(name, "x", dtype=h5py.string_dtype("ascii"))),
    _Special(lambda file, name: file.attrs.create(name, "x", dtype=h5py.string_dtype("utf-8", 20))),
    _Special(lambda file, name: file.attrs.create(name, 1, dtype=h5py.enum_dtype({"A": 1}, "u1"))),
    _Special(
        lambda file, name: file.attrs.create(
            name, np.array([1, 2]), dtype=h5py.vlen_dtype("i4"), shape=()
        )
    ),
)

_KINDS: tuple[Callable[[Random, dict[str, Any]], None], ...] = (
    _kind,
    _kind,
    _shape,
    _shape,
    _huge,
    _values,
    _filter,
    _link,
    _names,
    _attribute,
    _attribute,
)
