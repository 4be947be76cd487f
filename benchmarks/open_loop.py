"""Compares models on held-out video: PSNR of context and imagined frames, and FG-ARI, per step.

Run with ``python benchmarks/open_loop.py push.h5 --checkpoints runs/a runs/b``; the split test is
never used in training. The floors are copying (a frame of the context from the one before, an
imagined one from the last of the context) and the mean image of the training split. Prints a
Markdown table.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from torch import Tensor

from armillary.experiments.evaluation.videos import mean_image
from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.data import EpisodeFile, WindowDataset, ordered_batches
from armillary.world_models.device import resolve_device
from armillary.world_models.metrics import psnr
from armillary.world_models.validation.open_loop import HORIZONS, PSNR_LIMIT, evaluate_open_loop


def main() -> None:
    """Prints a row for each floor and checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--checkpoints", nargs="+", default=["pretrained/push_blocks"])
    parser.add_argument("--split", default="test")
    parser.add_argument("--horizon", type=int, default=10)
    parser.add_argument("--clips", type=int, default=1000)
    arguments = parser.parse_args()
    device = resolve_device("auto")
    models = {name: load_model(name, device) for name in arguments.checkpoints}
    contexts = {model.context_length for model in models.values()}
    if len(contexts) > 1:
        parser.error(f"the checkpoints must have one context length, got {sorted(contexts)}")
    context = contexts.pop()
    file = EpisodeFile(arguments.data)
    windows = WindowDataset(file.split(arguments.split), context + arguments.horizon)
    count = min(arguments.clips, len(windows))
    clips = next(iter(ordered_batches(windows, batch_size=count, limit=count))).to_window(device)
    steps = [step for step in HORIZONS if step <= arguments.horizon]
    print(f"{count} windows of {len(windows.split)} episodes: PSNR in dB, then FG-ARI\n")
    row("", ["context", *map(str, steps), "mean", "ARI context", *map(str, steps), "mean"])
    row("---", ["---"] * (2 * len(steps) + 4))
    mean = mean_image(file.split("train")).to(device)
    for name, (seen, imagined) in floors(clips.frames, context, mean).items():
        row(name, cells(seen, imagined, steps) + [""] * (len(steps) + 2))
    for name, model in models.items():
        found = evaluate_open_loop(model, clips, context)
        values = cells(found.context_psnr, found.open_loop_psnr, steps)
        row(name, values + cells(found.context_ari, found.open_loop_ari, steps, digits=3))


def floors(frames: Tensor, context: int, mean: Tensor) -> dict[str, list[Tensor]]:
    """PSNR of context and future without a model; the first frame has none before it to copy."""
    seen, future = frames[:, :context], frames[:, context:]
    pairs = {
        "copy": ((seen[:, :-1], seen[:, 1:]), (seen[:, -1:].expand_as(future), future)),
        "mean image": ((mean.expand_as(seen), seen), (mean.expand_as(future), future)),
    }
    return {name: [quality(*pair) for pair in both] for name, both in pairs.items()}


def quality(guess: Tensor, truth: Tensor) -> Tensor:
    """PSNR of every frame, limited as a model's is."""
    return psnr(guess, truth).clamp_max(PSNR_LIMIT).cpu()


def cells(context: Tensor, imagined: Tensor, steps: Sequence[int], digits: int = 1) -> list[str]:
    """Means over clips, where they are defined: of the context, after each step, of all steps."""
    values = [context, *(imagined[:, step - 1] for step in steps), imagined]
    return [f"{float(value.nanmean()):.{digits}f}" for value in values]


def row(name: str, values: Sequence[str]) -> None:
    """A row of the table."""
    print("| " + " | ".join([name, *values]) + " |")


if __name__ == "__main__":
    main()
