"""Whether activations are kept for the backward pass, or made again there to save memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from armillary.determinism import exporting

_SPARE = 0.5
"""The share of a CUDA device's memory that stays free while activations are kept. They take time to
make again there; a step that needs most of the memory has used little of it by then."""

_wanted: bool | None = None  # of the process, since compilers can read it


@contextmanager
def recomputing(wanted: bool | None) -> Iterator[None]:
    """A block in which activations are made again, or are not; None where memory asks for it.

    It is that of all threads.
    """
    global _wanted
    before, _wanted = _wanted, wanted
    try:
        yield
    finally:
        _wanted = before


def remade(function: Callable[..., Tensor], *inputs: Any) -> Tensor:
    """What ``function`` returns; what it keeps for the backward pass is made again there.

    A program that is exported cannot say so, and keeps it. The function draws nothing.
    """
    if exporting():
        return function(*inputs)
    return checkpoint(function, *inputs, use_reentrant=False, preserve_rng_state=False)


def asked_for(device: torch.device, size: int) -> bool:
    """Whether activations of so many bytes are to be made again.

    On a CPU and where it is not known what is free they are, unless somebody said otherwise:
    memory costs more time there than what is computed. Without gradients nothing is kept anyway.
    """
    if not torch.is_grad_enabled():
        return False
    if _wanted is not None:
        return _wanted
    if device.type != "cuda" or torch.compiler.is_compiling():
        return True
    total, others = _memory(device)
    free = total - others - torch.cuda.memory_allocated(device)
    return free - size < _SPARE * total


@lru_cache
def _memory(device: torch.device) -> tuple[int, int]:
    """Bytes of a device, and those that others have; asked once, not while steps are recorded."""
    free, total = torch.cuda.mem_get_info(device)
    return total, total - free - torch.cuda.memory_reserved(device)
