"""Double precision on any device."""

from __future__ import annotations

from torch import Tensor


def double(tensor: Tensor) -> Tensor:
    """The tensor as float64; it comes to the CPU from a device that has none (Apple's GPUs)."""
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()
