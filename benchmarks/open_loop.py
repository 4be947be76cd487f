"""Measures imagined video on held-out episodes: PSNR against copying, and FG-ARI, per step.

Run with ``python benchmarks/open_loop.py push.h5``; the split test is never used in training.
"""

from __future__ import annotations

import argparse

from world_models.data import EpisodeFile, WindowDataset, ordered_batches
from world_models.device import resolve_device
from world_models.training.checkpoint import load_model
from world_models.training.validation import evaluate_open_loop


def main() -> None:
    """Prints every metric of ``OpenLoopQuality``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--checkpoint", default="pretrained/push_blocks")
    parser.add_argument("--split", default="test")
    parser.add_argument("--horizon", type=int, default=10)
    parser.add_argument("--clips", type=int, default=1000)
    arguments = parser.parse_args()
    device = resolve_device("auto")
    model = load_model(arguments.checkpoint, device)
    split = EpisodeFile(arguments.data).split(arguments.split)
    windows = WindowDataset(split, model.context_length + arguments.horizon)
    clips = min(arguments.clips, len(windows))
    batch = next(iter(ordered_batches(windows, batch_size=clips, limit=clips)))
    quality = evaluate_open_loop(model, batch.to_window(device), model.context_length)
    print(f"{clips} windows of {len(split)} episodes")
    for name, value in quality.metrics().items():
        print(f"{name:24}{value:8.3f}")


if __name__ == "__main__":
    main()
