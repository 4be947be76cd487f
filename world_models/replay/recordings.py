"""Pure functions of tensors, recorded once per shape and replayed without waiting for launches."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

Tensors = tuple[Tensor, ...]
Pure = Callable[..., Tensors]
"""Tensors -> tensors, whose values and shapes depend on nothing else that changes."""
OWN_THREAD = "thread_local"
"""The ``capture_error_mode`` in which what other threads ask of the device disturbs no capture."""
Recorder = Callable[[Callable[[], Tensors]], Callable[[], Tensors]]
"""Runs a function of static buffers once; what it returns does the same again, into the same
results."""


_RECORDING = ContextVar("recording", default=False)


def is_recording() -> bool:
    """Whether what is computed now is recorded: nothing of it is recorded by itself."""
    return _RECORDING.get()


class Tree(Protocol):
    """Holds tensors, in an order that stays."""

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Applies ``function`` to every tensor."""
        ...


T = TypeVar("T", bound=Tree)


def leaves(tree: Tree) -> list[Tensor]:
    """The tensors of a state, of a goal."""
    found: list[Tensor] = []
    tree.map(lambda tensor: found.append(tensor) or tensor)
    return found


def regrown(tree: T, tensors: Sequence[Tensor]) -> T:
    """The tree with other tensors, as many as its ``leaves``."""
    given = iter(tensors)
    return tree.map(lambda _: next(given))


@dataclass
class _Recording:
    """One shape of one function: what it reads, how it runs again.

    Attributes:
        function: what is called, and all that it refers to.
        inputs: the buffers that are read; empty before the second call.
        replay: runs again on the buffers; None before the second call, and where it cannot.
        refused: whether there was too little memory to record it.
    """

    function: Pure
    inputs: Tensors = ()
    replay: Callable[[], Tensors] | None = None
    refused: bool = False


class Recordings:
    """Calls functions of tensors, from the second call of a shape on by replaying a recording.

    The first call of every shape runs as it is: what is used once is not worth recording, and what
    is computed once and kept is computed then. A function that cannot be recorded, since it waits
    for the device or creates tensors from the processor's, is told of once and runs as it is, in
    every shape; where memory is too short for it, in that shape. What is called while something
    else is recorded is recorded as part of that. The longest unused of more than ``limit`` shapes
    are forgotten.

    Args:
        record: how; None calls every function as it is.
        limit: shapes that are remembered, with the memory that each works in.
    """

    def __init__(self, record: Recorder | None, limit: int = 16) -> None:
        self._record = record
        self._limit = limit
        self._known: OrderedDict[Hashable, _Recording] = OrderedDict()
        self._refused: OrderedDict[Hashable, object] = OrderedDict()
        self._told: set[str] = set()

    def __len__(self) -> int:
        return len(self._known)

    @property
    def replayed(self) -> int:
        """Shapes that are replayed now."""
        return sum(recording.replay is not None for recording in self._known.values())

    @property
    def refused(self) -> tuple[str, ...]:
        """Names of what could not be recorded."""
        return tuple(sorted(self._told))

    def call(
        self,
        name: str,
        plain: Callable[[], Tensors],
        function: Pure,
        inputs: Sequence[Tensor],
        owner: object,
        *fixed: Hashable,
    ) -> Tensors:
        """``plain()``, or the same by replaying ``function(*inputs)``.

        Args:
            name: of what is computed, for messages.
            plain: computes it from the caller's own objects, which may keep what they compute.
            function: pure; what it does depends on ``name``, ``owner``, ``fixed`` and the inputs.
            inputs: on one device.
            owner: an object that ``function`` refers to, told by its identity.
            fixed: whatever else.

        Returns:
            What is computed, in memory of its own.
        """
        kind = (name, id(owner), fixed)
        if self._record is None or is_recording() or kind in self._refused:
            return plain()
        shapes = tuple((tensor.shape, tensor.dtype, tensor.device) for tensor in inputs)
        key = (kind, shapes)
        recording = self._known.get(key)
        if recording is None:
            self._known[key] = _Recording(function)
            if len(self._known) > self._limit:
                self._known.popitem(last=False)
            return plain()
        self._known.move_to_end(key)
        if recording.refused:
            return plain()
        if recording.replay is None:
            problem = self._begin(recording, function, inputs)
            if problem is not None:  # is a text: the exception is gone, and what it holds
                self._tell(name, problem)
                if not recording.refused:
                    self._forget(kind, owner)
                return plain()
        assert recording.replay is not None
        for buffer, tensor in zip(recording.inputs, inputs, strict=True):
            buffer.copy_(tensor)
        return tuple(result.clone() for result in recording.replay())

    def _begin(self, recording: _Recording, function: Pure, inputs: Sequence[Tensor]) -> str | None:
        """Records; returns why it cannot be, or None."""
        assert self._record is not None
        try:
            recording.inputs = buffers = tuple(tensor.detach().clone() for tensor in inputs)
            recording.replay = self._record(lambda: _as_a_whole(function, buffers))
        except torch.OutOfMemoryError as error:
            recording.refused, recording.inputs = True, ()
            return str(error)
        except RuntimeError as error:
            return str(error)
        return None

    def _tell(self, name: str, problem: str) -> None:
        if name not in self._told:
            self._told.add(name)
            reason = problem.partition("\n")[0]
            logger.warning("%s cannot be recorded and runs step by step: %s", name, reason)

    def _forget(self, kind: Hashable, owner: object) -> None:
        """A kind is not recorded any more; its owner is kept, as its identity tells it."""
        for key in [key for key in self._known if isinstance(key, tuple) and key[0] == kind]:
            del self._known[key]
        self._refused[kind] = owner
        if len(self._refused) > self._limit:
            self._refused.popitem(last=False)


def _as_a_whole(function: Pure, inputs: Tensors) -> Tensors:
    before = _RECORDING.set(True)
    try:
        return function(*inputs)
    finally:
        _RECORDING.reset(before)


class CudaGraphs:
    """Records as CUDA graphs, which share their memory.

    Args:
        device: a CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, function: Callable[[], Tensors]) -> Callable[[], Tensors]:
        """See ``Recorder``. Raises RuntimeError where the function cannot be captured."""
        with torch.cuda.device(self._device):
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                function()  # libraries choose their kernels and reserve their memory
            torch.cuda.current_stream().wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode=OWN_THREAD):
                results = function()

        def replay() -> Tensors:
            graph.replay()
            return results

        return replay


def recorder(device: torch.device) -> Recorder | None:
    """What records on a device; None on those where launches cost little."""
    return CudaGraphs(device) if device.type == "cuda" else None
