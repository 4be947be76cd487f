"""Clips on their way to a device: the next ones travel while the present ones are used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from armillary.world_models.data.windows import RawWindow
from armillary.world_models.model import Window


def arriving(raw: Iterable[RawWindow], device: torch.device) -> Iterator[Window]:
    """The clips on a device, in their order; on a CUDA device one batch ahead, beside the work."""
    if device.type != "cuda":
        yield from (window.to_window(device) for window in raw)
        return
    aside = torch.cuda.Stream(device)
    ahead: Window | None = None
    for window in raw:
        with torch.cuda.stream(aside):
            coming = window.to_window(device)
        if ahead is not None:
            yield ahead
        current = torch.cuda.current_stream(device)
        current.wait_stream(aside)
        coming.map(lambda tensor, current=current: _used_on(tensor, current))
        ahead = coming
    if ahead is not None:
        yield ahead


def _used_on(tensor: torch.Tensor, stream: torch.cuda.Stream) -> torch.Tensor:
    """Keeps its memory from being given to others before the stream has done with it."""
    tensor.record_stream(stream)
    return tensor
