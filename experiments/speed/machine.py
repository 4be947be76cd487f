"""What everything is measured on."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from armillary import processors
from armillary.experiments.evaluation.speed import Machine


def machine(device: torch.device, threads: int) -> Machine:
    """This one, with models on a device."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return Machine(
        processor=_processor(),
        processors=processors.usable(),
        threads=threads,
        device=name,
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
