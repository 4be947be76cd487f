"""Shows the best, the median and the worst video of an evaluation as GIFs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from armillary.experiments.evaluation.store import Store
from armillary.experiments.evaluation.videos import Evaluator
from armillary.experiments.films.drawing import (
    Picture,
    Row,
    Tile,
    cutouts,
    pictures,
    segmentation,
    sheet,
    slot_colors,
    write_gif,
)
from armillary.experiments.palette import CONTEXT, IMAGINED, REAL
from armillary.world_models.model import Window
from armillary.world_models.state import Scene


def write_examples(
    evaluator: Evaluator, store: Store, count: int, output: Path, side: int, fps: float
) -> list[dict[str, Any]]:
    """Writes ``examples/{best,median,worst}.gif``.

    The videos are chosen by the PSNR of their best rollout, which is the one shown.

    Args:
        evaluator: of the videos.
        store: what was measured of them.
        count: how many videos there are.
        output: the directory of the run.
        side: greatest side of a tile in pixels.
        fps: frames a second.

    Returns:
        Tier, video, rollout, mean PSNR in dB and file of each.
    """
    best = np.empty((count, 2))
    for video in range(count):
        means = store.get(video)["psnr"].mean(1, dtype=np.float64)
        best[video] = means.max(), means.argmax()
    order = np.argsort(best[:, 0], kind="stable")
    chosen = {"best": order[-1], "median": order[(count - 1) // 2], "worst": order[0]}
    (output / "examples").mkdir(exist_ok=True)
    found = []
    for tier, video in chosen.items():
        psnr, rollout = float(best[video, 0]), int(best[video, 1])
        window, scene = evaluator.example(int(video), rollout)
        context = window.length - len(store.get(int(video))["spread"])
        name = f"examples/{tier}.gif"
        title = f"{tier} video ({video}): its best rollout, PSNR {psnr:.1f} dB"
        write_gif(output / name, film(window, scene, context, side, title), fps)
        found.append(
            {"tier": tier, "video": int(video), "rollout": rollout, "psnr": psnr, "gif": name}
        )
    return found


def film(window: Window, scene: Scene, context: int, side: int, title: str) -> list[Picture]:
    """One sheet per frame: the truth, what the model makes of it, and every slot with its mask.

    Args:
        window: one clip (N = 1) of C + T frames.
        scene: (C + T, ...), of the context and imagined.
        context: C.
        side: greatest side of a tile in pixels.
        title: of every sheet.
    """
    frames, slots = window.frames[0], scene.masks.shape[-4]
    colors = slot_colors(scene.masks)
    real, model = pictures(frames), pictures(scene.frames)
    segments = segmentation(scene.masks, colors)
    parts, masks = cutouts(scene.components, scene.masks), _grey(scene.masks)
    true = None if not window.labels.numel() else _true_segments(window.labels[0])
    sheets = []
    for time in range(len(frames)):
        color = CONTEXT if time < context else IMAGINED
        step = "context, seen" if time < context else f"imagined, {time - context + 1} ahead"
        top = [Tile(real[time], REAL)]
        if true is not None:
            top.append(Tile(true[time], REAL))
        rows = [Row("truth", top), Row("model", [Tile(model[time], color)])]
        if slots > 1:
            rows[1] = Row("model", [Tile(model[time], color), Tile(segments[time], color)])
            rows.append(Row("slots", [Tile(part, color) for part in parts[time]]))
            rows.append(Row("masks", [Tile(mask, color) for mask in masks[time]]))
        note = f"frame {time + 1} of {len(frames)}: {step}"
        sheets.append(sheet(rows, side=side, title=title, note=note))
    return sheets


def _grey(masks: Tensor) -> Picture:
    """(T, K, 1, H, W) -> (T, K, H, W, 3)."""
    return pictures(masks.expand(-1, -1, 3, -1, -1))


def _true_segments(labels: Tensor) -> Picture:
    """(T, H, W) -> (T, H, W, 3), each object in a colour of its own."""
    count = int(labels.max()) + 1
    one_hot = torch.nn.functional.one_hot(labels, count).movedim(-1, 1).unsqueeze(2).float()
    return segmentation(one_hot, slot_colors(one_hot))
