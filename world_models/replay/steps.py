"""Functions that change what they refer to, as a training step does: recorded, then replayed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from armillary.world_models.replay.recordings import OWN_THREAD, Tensors

logger = logging.getLogger(__name__)

_BEFORE = 2
"""Calls that run as they are before one is recorded: libraries choose kernels, optimisers make
their state."""


class Capture(Protocol):
    """How calls run, and are recorded without being run."""

    def run(self, function: Callable[[], Tensors]) -> Tensors:
        """Runs it as it is, where it could be recorded later."""
        ...

    def record(self, function: Callable[[], Tensors]) -> Callable[[], Tensors]:
        """What it returns does what ``function`` does, every time it is called.

        Raises:
            RuntimeError: the function cannot be recorded; nothing has been done.
        """
        ...


class CudaCapture:
    """Records as a CUDA graph.

    Everything runs on one stream of its own: autograd remembers on which stream it began.

    Args:
        device: a CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)

    def run(self, function: Callable[[], Tensors]) -> Tensors:
        """See ``Capture``."""
        current = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            results = function()
        current.wait_stream(self._stream)
        return results

    def record(self, function: Callable[[], Tensors]) -> Callable[[], Tensors]:
        """See ``Capture``."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode=OWN_THREAD):
            results = function()

        def replay() -> Tensors:
            graph.replay()
            return results

        return replay


class RepeatedStep:
    """Calls a function that changes what it refers to, from the third call on by replaying it.

    Unlike with ``Recordings`` no call is made twice: the calls before are real ones, and recording
    does nothing. Inputs of another shape run as they are. What cannot be recorded is told of once.

    Args:
        name: of what is done, for the message.
        function: tensors -> tensors; everything else that it reads stays where it is.
        capture: how.
    """

    def __init__(self, name: str, function: Callable[..., Tensors], capture: Capture) -> None:
        self._name = name
        self._function = function
        self._capture = capture
        self._called = 0
        self._refused = False
        self._shapes: tuple[tuple[torch.Size, torch.dtype], ...] = ()
        self._inputs: Tensors = ()
        self._replay: Callable[[], Tensors] | None = None

    @property
    def replayed(self) -> bool:
        """Whether calls are replayed now."""
        return self._replay is not None

    @property
    def refused(self) -> tuple[str, ...]:
        """Its name, where it cannot be recorded."""
        return (self._name,) * self._refused

    def __call__(self, inputs: Sequence[Tensor]) -> Tensors:
        """What the function returns, in memory that later calls do not touch."""
        shapes = tuple((tensor.shape, tensor.dtype) for tensor in inputs)
        self._shapes = self._shapes or shapes
        if self._called < _BEFORE or shapes != self._shapes or self._refused:
            self._called += 1
            return self._capture.run(lambda: self._function(*inputs))
        if self._replay is None:
            self._inputs = tuple(tensor.clone() for tensor in inputs)
            try:
                self._replay = self._capture.record(lambda: self._function(*self._inputs))
            except RuntimeError as error:
                self._refused, self._inputs = True, ()
                reason = str(error).partition("\n")[0]
                logger.warning("%s is not recorded and runs as it is: %s", self._name, reason)
            if self._replay is None:  # the exception is gone, and the memory that it holds
                return self._capture.run(lambda: self._function(*inputs))
        for buffer, tensor in zip(self._inputs, inputs, strict=True):
            buffer.copy_(tensor)
        return tuple(result.clone() for result in self._replay())
