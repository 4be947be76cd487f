"""Torch's global random generators: seed, capture, restore and isolate them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


def seed_everything(seed: int) -> None:
    """Seeds torch's global generators on every device."""
    torch.manual_seed(seed)


def capture(device: torch.device) -> dict[str, Tensor]:
    """The states of the generators that training on ``device`` draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Puts captured states back; one of a device that training has left is passed over."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    if device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])


@contextmanager
def isolated(seed: int, device: torch.device) -> Iterator[None]:
    """Code inside draws from freshly seeded generators; code after it as if it had not run."""
    states = capture(device)
    try:
        seed_everything(seed)
        yield
    finally:
        restore(states, device)
