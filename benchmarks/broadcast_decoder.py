"""Times the spatial-broadcast decoder against its plain formulation, at the published sizes.

Run with ``python -m benchmarks.broadcast_decoder``; random weights and latents, seed 0. Times are
CPU milliseconds of all threads per image, medians of passes in turn; bf16 is compared with the
plain float32. Memory is what a process of its own grows by, at its peak, over one forward and
backward pass of the whole batch.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from armillary.world_models.blocks.broadcast_decoder import SpatialBroadcastDecoder
from benchmarks.plain import PlainBroadcastDecoder

# Latent size and images: a batch of 16 with 6 slots, or of whole frames.
SIZES = {"sdvae": (64, 96), "op3": (128, 96), "vrnn": (512, 16)}
DECODERS = {"plain": PlainBroadcastDecoder, "ours": SpatialBroadcastDecoder}


def main() -> None:
    """Prints a table: a line per model and measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=list(SIZES), choices=SIZES)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{arguments.image_size} px, {arguments.threads} threads; CPU ms per image, MB")
    print(f"{'model':8}{'measured':28}{'plain':>9}{'ours':>9}{'ratio':>8}")
    for model in arguments.models:  # First: a new process starts with the peak of this one.
        peaks = {name: _peak_megabytes(name, model, arguments.image_size) for name in DECODERS}
        _print(model, "peak memory", peaks)
    for model in arguments.models:
        z, pair = _setting(model, arguments.image_size)
        for title, (theirs, ours) in WORK.items():
            works = {"plain": theirs, "ours": ours}
            _print(model, title, _median_times(works, pair, z, arguments.repeats))


def forward(decoder: nn.Module, z: Tensor) -> None:
    """Forward, without gradients."""
    with torch.no_grad():
        decoder(z)


def forward_bf16(decoder: nn.Module, z: Tensor) -> None:
    """Forward under bf16 autocast, without gradients."""
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        decoder(z)


def forward_backward(decoder: nn.Module, z: Tensor) -> None:
    """Forward and backward."""
    decoder.zero_grad()
    decoder(z).square().sum().backward()


def latent_gradient(decoder: nn.Module, z: Tensor) -> None:
    """Forward, and the gradient of the latents alone, as in iterative inference."""
    torch.autograd.grad(decoder(z).square().sum(), [z])


WORK = {
    "forward": (forward, forward),
    "forward, bf16": (forward, forward_bf16),
    "forward and backward": (forward_backward, forward_backward),
    "forward and latent gradient": (latent_gradient, latent_gradient),
}


def growth(name: str, model: str, image_size: int) -> float:
    """Megabytes that this process grows by over one forward and backward pass."""
    z, pair = _setting(model, image_size)
    forward_backward(pair[name], z[:1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    forward_backward(pair[name], z)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def _peak_megabytes(name: str, model: str, image_size: int) -> float:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(growth, (name, model, image_size))


def _setting(model: str, image_size: int) -> tuple[Tensor, dict[str, nn.Module]]:
    torch.manual_seed(0)
    size, count = SIZES[model]
    pair: dict[str, nn.Module] = {name: kind(size, image_size) for name, kind in DECODERS.items()}
    pair["ours"].load_state_dict(pair["plain"].state_dict())
    return torch.randn(count, size, requires_grad=True), pair


def _median_times(
    works: dict[str, Callable[[nn.Module, Tensor], None]],
    pair: dict[str, nn.Module],
    z: Tensor,
    repeats: int,
) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in pair}
    for _ in range(repeats + 1):
        for name, decoder in pair.items():
            started = time.process_time()
            works[name](decoder, z)
            times[name].append(1e3 * (time.process_time() - started) / len(z))
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def _print(model: str, title: str, values: dict[str, float]) -> None:
    plain, ours = values["plain"], values["ours"]
    print(f"{model:8}{title:28}{plain:9.2f}{ours:9.2f}{plain / ours:8.2f}", flush=True)


if __name__ == "__main__":
    main()
