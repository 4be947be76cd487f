"""Looks at an HDF5 file in a process of its own: damage may end or hold that one, not ours.

Run as a script it prints, as JSON, the attributes of the file or why it cannot be opened. It
imports nothing of this project, so that it starts in a fifth of a second.
"""

# h5py has no types for its lower level.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import contextlib
import json
import math
import sys
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5o, h5s, h5t

MOST_ATTRIBUTES, MOST_VALUES, MOST_OBJECTS = 4096, 4096, 10_000
MEMORY = 4 << 30
"""Bytes of address space that a look may take."""
DAMAGES = (ArithmeticError, AttributeError, KeyError, MemoryError, OSError, RuntimeError, TypeError)
"""What h5py raises for damaged files, with ``ValueError``, the base of our own errors."""
_READABLE = (h5t.INTEGER, h5t.FLOAT, h5t.STRING, h5t.ENUM, h5t.OPAQUE)


def variable_text(file: h5py.File) -> bool:
    """Whether an attribute has text of variable length, which libhdf5 reads without any check."""
    return any(_is_variable(attribute) for attribute in _attributes(file))


def read_attributes(file: h5py.File, variable: bool = False) -> dict[str, Any]:
    """The attributes of the root as texts, numbers, truth values and lists of these.

    Bytes and opaque values are taken for text. What is neither text nor number is left out.

    Args:
        file: open.
        variable: whether to read text of variable length, which a damaged file may make a crash.
    """
    found = {}
    for attribute in _attributes(file):
        if variable or not _is_variable(attribute):
            values = _values(attribute)
            if values:
                name = attribute.name.decode("utf-8", "replace")
                found[name] = values[0] if len(values) == 1 else values
    return found


def _attributes(file: h5py.File) -> list[h5a.AttrID]:
    count = h5a.get_num_attrs(file.id)
    if count > MOST_ATTRIBUTES:
        raise ValueError(f"{count} attributes")
    return [h5a.open(file.id, index=index) for index in range(count)]


def _is_variable(attribute: h5a.AttrID) -> bool:
    kind = attribute.get_type()
    return kind.get_class() == h5t.STRING and kind.is_variable_str()


def _values(attribute: h5a.AttrID) -> list[Any]:
    shape = attribute.shape
    null = attribute.get_space().get_simple_extent_type() == h5s.NULL
    if attribute.get_type().get_class() not in _READABLE or null:
        return []
    if not 1 <= math.prod(shape) <= MOST_VALUES:
        return []
    array = np.empty(shape, attribute.dtype)
    attribute.read(array)
    if array.dtype.kind == "f":
        array = array.astype(np.float64)
    return [_plain(value) for value in array.ravel().tolist()]


def _plain(value: Any) -> Any:
    return value.rstrip(b"\0 ").decode("utf-8", "replace") if isinstance(value, bytes) else value


def _walk(group: h5g.GroupID, depth: int) -> None:
    """Opens what readers open: the arrays of the root and of its groups, and their indices."""
    for name in list(group)[:MOST_OBJECTS]:
        _allow_again()
        with contextlib.suppress(*DAMAGES, ValueError):
            if group.links.get_info(name).type != h5py.h5l.TYPE_HARD:
                continue
            found = h5o.open(group, name)
            if isinstance(found, h5d.DatasetID):
                layout = found.get_create_plist().get_layout()
                _ = found.shape, found.get_storage_size()
                if layout == h5d.CHUNKED:
                    found.get_num_chunks()
                _ = found.dtype
            elif isinstance(found, h5g.GroupID) and depth:
                _walk(found, depth - 1)


def _allow_again() -> None:
    """Each object may take as much time as this process was bounded to: many are no damage."""
    with contextlib.suppress(ImportError, AttributeError, ValueError, OSError):
        import signal

        seconds = signal.getitimer(signal.ITIMER_PROF)[1]
        signal.setitimer(signal.ITIMER_PROF, seconds, seconds)


def bound(path: str, seconds: float) -> None:
    """Ends this process when it takes too much time of the processor or memory, where it can.

    Args:
        path: of the file.
        seconds: of the processor, for opening the file and for each object in it.
    """
    with contextlib.suppress(ImportError, AttributeError, ValueError, OSError):
        import resource
        import signal

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.setitimer(signal.ITIMER_PROF, seconds, seconds)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def look(path: str) -> dict[str, Any]:
    """``attributes`` of the root, or ``error``: why the file cannot be read."""
    try:
        with h5py.File(path, "r", rdcc_nbytes=0) as file:
            attributes = read_attributes(file, variable=True)
            _walk(h5g.open(file.id, b"/"), 1)
        return {"attributes": attributes}
    except (*DAMAGES, ValueError) as error:
        greedy = isinstance(error, MemoryError) or "memory allocation" in str(error)
        return {"error": "it asks for more memory than there is" if greedy else str(error)}


if __name__ == "__main__":
    bound(sys.argv[1], float(sys.argv[2]))
    print(json.dumps(look(sys.argv[1])))
