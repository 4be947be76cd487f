"""Tells on any device, what an accelerator would have to wait for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_WAITS = {
    "aten.lift_fresh": "a tensor is made from numbers of Python or numpy",
    "aten._local_scalar_dense": "a number is read off a tensor",
    "aten.nonzero": "a shape depends on values",
    "aten.masked_select": "a shape depends on values",
    "aten._unique2": "a shape depends on values",
}


class _Watch(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: tuple = (), options: dict | None = None
    ) -> Any:
        name = str(function).rpartition(".")[0]
        if name in _WAITS:
            self.found.append(f"{name}: {_WAITS[name]}")
        if name == "aten.index" and any(
            index is not None and index.dtype in (torch.bool, torch.uint8) for index in arguments[1]
        ):
            self.found.append("aten.index: a shape depends on values")
        return function(*arguments, **(options or {}))


@contextmanager
def without_waiting() -> Iterator[None]:
    """A block in which an accelerator would not have to wait, so that it can be recorded.

    What is computed once and kept is computed before.

    Raises:
        AssertionError: at the end, with what it would wait for.
    """
    with _Watch() as watch:
        yield
    assert not watch.found, "; ".join(sorted(set(watch.found)))
