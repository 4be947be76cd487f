"""The same bits again: torch's deterministic kernels, and others where CUDA has none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from armillary.errors import RunError

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
_NONE = "does not have a deterministic implementation"


def exporting() -> bool:
    """Whether torch writes a program now; before torch 2.7, whether it traces one at all."""
    ask = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)
    return ask()


def switch(on: bool) -> None:
    """Lets torch use kernels only that give the same bits again, or all kernels.

    Call it before the first work on a CUDA device: cuBLAS reads its variable once.
    """
    if on:
        os.environ.setdefault(_WORKSPACE, ":4096:8")
    torch.use_deterministic_algorithms(on)
    torch.backends.cudnn.deterministic = on


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """A block with deterministic kernels only, if it is wanted; else nothing changes.

    Raises:
        RunError: an operation, of a network of the user's say, has no such kernel on the device.
    """
    before = torch.are_deterministic_algorithms_enabled()
    if not wanted or before:
        yield
        return
    switch(True)
    try:
        yield
    except RuntimeError as error:
        if _NONE not in str(error):
            raise
        raise RunError(
            f"deterministic=true: {str(error).split(', but')[0]}; deterministic=false takes what "
            "there is"
        ) from error
    finally:
        switch(False)


def sampled(images: Tensor, places: Tensor) -> Tensor:
    """Looks images up between their pixels, zeros outside: ``grid_sample``, bilinear.

    Args:
        images: (N, C, H, W).
        places: (N, h, w, 2) (x, y), -1 and 1 are the outer edges of the outermost pixels.

    Returns:
        (N, C, h, w); with deterministic kernels the same up to rounding.
    """
    if not torch.are_deterministic_algorithms_enabled():
        return F.grid_sample(images, places, padding_mode="zeros", align_corners=False)
    channels, height, width = images.shape[1:]
    x, y = (((places + 1.0) * places.new_tensor([width, height]) - 1.0) / 2.0).unbind(-1)
    left, top = x.floor(), y.floor()
    columns = ((left, left + 1.0 - x), (left + 1.0, x - left))
    rows = ((top, top + 1.0 - y), (top + 1.0, y - top))
    pixels = images.flatten(2)
    total = 0.0
    for (column, across), (row, down) in product(columns, rows):
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        index = (row.clamp(0, height - 1) * width + column.clamp(0, width - 1)).nan_to_num().long()
        index = index.flatten(1).unsqueeze(1).expand(-1, channels, -1)
        weight = (across * down * inside).unsqueeze(1)
        total = total + weight * pixels.gather(2, index).unflatten(2, x.shape[1:])
    assert isinstance(total, Tensor)
    return total


def medians(values: Tensor) -> Tensor:
    """The lower median over the second dimension: (N, M, C) -> (N, 1, C).

    Sorted where an exported program may run somewhere that knows no medians, as ONNX does not.
    """
    if not (torch.are_deterministic_algorithms_enabled() or exporting()):
        return values.median(dim=1, keepdim=True).values
    return values.sort(dim=1).values[:, (values.shape[1] - 1) // 2].unsqueeze(1)
