"""Choosing the device that a name stands for."""

from __future__ import annotations

import torch

from armillary.errors import ArmillaryError

DEVICES = ("auto", "cpu", "cuda", "mps")


def resolve_device(name: str | torch.device) -> torch.device:
    """The device of a name such as ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.

    ``auto`` takes the first of cuda, mps and cpu that this machine has.

    Raises:
        ArmillaryError: the name is no device, or this machine lacks it.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next((kind for kind in present if present[kind]), "cpu"))
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ArmillaryError(
            f"unknown device {name!r}; choose from {', '.join(DEVICES)}"
        ) from error
    there = present.get(device.type, device.type == "cpu")
    if not there or (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()):
        here = [f"cuda:{index}" for index in range(torch.cuda.device_count() * present["cuda"])]
        here += [kind for kind in ("mps",) if present[kind]] + ["cpu"]
        raise ArmillaryError(
            f"this machine has no device {str(device)!r}; it has {', '.join(here)} (or use auto)"
        )
    return device
