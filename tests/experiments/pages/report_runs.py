"""Directories of runs as the verbs leave them, with made-up numbers, for tests of the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from armillary.agent.statistics import wilson_interval
from armillary.experiments.films.drawing import Row, Tile, sheet, write_gif
from armillary.experiments.palette import CONTEXT, IMAGINED, REAL
from armillary.experiments.verbs.report import run

TIERS = {"best": 1.5, "median": 0.0, "random": 0.1, "worst": -1.5, "mean": 0.0}
VERSIONS = {"armillary": "0.1.0", "python": "3.11.7", "torch": "2.13.0"}


def record(directory: Path, verb: str, status: str = "finished", **changes: Any) -> Path:
    """Writes ``run.json`` and ``config.yaml``."""
    directory.mkdir(parents=True, exist_ok=True)
    content = {
        "verb": verb,
        "command": f"armillary {verb} output={directory.name}",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "versions": VERSIONS,
        "seed": 3,
        "started": "2026-03-01T10:00:00+00:00",
        "ended": "2026-03-01T10:05:03+00:00" if status != "running" else None,
        "status": status,
        **changes,
    }
    (directory / "run.json").write_text(json.dumps(content))
    (directory / "config.yaml").write_text(f"verb: {verb}\nseed: 3\n")
    return directory


def evaluation(
    directory: Path,
    *,
    level: float = 24.0,
    width: float = 0.4,
    horizon: int = 8,
    context: int = 2,
    side: int = 0,
    noise: bool = False,
    seed: int = 0,
    model: str = "slot_dynamics",
    metrics: tuple[str, ...] = ("psnr", "ssim"),
) -> Path:
    """Writes what ``evaluate`` leaves; ``level`` is the PSNR, ``width`` half its interval.

    Films have tiles of ``side`` pixels, none are written for 0; noise makes them large.
    """
    record(directory, "evaluate")
    scale = {"psnr": 1.0, "ssim": 0.03, "ssim_ref": 0.02, "lpips": -0.02, "log_likelihood": 90.0}
    shift = {"psnr": level, "ssim": 0.1 + 0.03 * level, "lpips": 0.9 - 0.02 * level}

    def stats(metric: str, offset: float, fall: float = 0.35) -> dict[str, Any]:
        unit, half = scale[metric], abs(scale[metric]) * width
        start = shift.get(metric, unit * level) + unit * offset
        frames = [start - unit * fall * t for t in range(horizon)]
        mean = sum(frames) / horizon
        return {
            "mean": mean,
            "ci95": [mean - half, mean + half],
            "quantiles": {"5": mean - 4 * half, "50": mean, "95": mean + 4 * half},
            "per_frame": frames,
            "per_frame_ci95": [[f - half, f + half] for f in frames],
        }

    def objects(value: float) -> dict[str, Any]:
        frames = [value - 0.02 * t for t in range(horizon)]
        mean = sum(frames) / horizon
        return {
            "mean": mean,
            "ci95": [mean - 0.03, mean + 0.03],
            "quantiles": {"5": mean - 0.1, "50": mean, "95": mean + 0.1},
            "context": {"mean": value + 0.05, "ci95": [value + 0.03, value + 0.07]},
            "per_frame": [value + 0.05] * context + frames,
        }

    tiers = ("best", "median", "worst")
    results = {
        "verb": "evaluate",
        "model": model,
        "checkpoint": f"runs/{directory.name}",
        "data": {
            "path": "data/push.h5",
            "split": "test",
            "episodes": 60,
            "image_size": 32,
            "has_masks": True,
        },
        "videos": 16,
        "rollouts": 100,
        "context": context,
        "horizon": horizon,
        "seed": seed,
        "metrics": {m: {t: stats(m, o) for t, o in TIERS.items()} for m in metrics},
        "baselines": {
            "copy_last_frame": {m: stats(m, -4.0, 0.9) for m in metrics},
            "mean_image": {m: stats(m, -7.0, 0.0) for m in metrics},
        },
        "diversity": {
            name: {"mean": 0.05, "ci95": [0.04, 0.06], "quantiles": {"5": 0.01, "50": 0.05}}
            for name in ("best_minus_worst_ssim", "spread")
        },
        "objects": {
            **{
                n: objects(v + (level - 24) / 30)
                for n, v in (("fg_ari", 0.8), ("ari", 0.85), ("mean_iou", 0.6))
            },
            "average_recall": objects(0.55),
            "recall_at": {f"{t / 10:.1f}": 1.0 - t / 12 for t in range(1, 11)},
        },
        "examples": [
            {"tier": t, "video": 4 + i, "rollout": i, "psnr": level - i, "gif": f"examples/{t}.gif"}
            for i, t in enumerate(tiers)
        ],
        "config": {},
        "commit": "0123456",
        "versions": VERSIONS,
    }
    (directory / "results.json").write_text(json.dumps(results))
    if side:
        (directory / "examples").mkdir(exist_ok=True)
        for index, tier in enumerate(tiers):
            film(
                directory / "examples" / f"{tier}.gif", side, context + horizon, index, noise, seed
            )
    return directory


def film(path: Path, side: int, count: int, kind: int, noise: bool, seed: int) -> None:
    """Writes a GIF laid out like an example: truth, imagined, and slots with their masks."""
    draw = np.random.default_rng((seed, kind))
    pictures = []
    for time in range(count):
        frame = np.full((32, 32, 3), 60, np.uint8)
        frame[8 + seed : 16 + seed, 2 + 2 * time : 10 + 2 * time] = (
            (230, 60, 40),
            (40, 200, 90),
            (60, 90, 230),
        )[kind]
        if noise:
            frame = draw.integers(0, 255, frame.shape, np.uint8)
        color = CONTEXT if time < 2 else IMAGINED
        rows = [
            Row("truth", [Tile(frame, REAL)]),
            Row("imagined", [Tile(frame // 2 + 60, color)]),
            Row("slots", [Tile(frame // 3 * (slot + 1), color) for slot in range(3)]),
        ]
        pictures.append(sheet(rows, side=side, title=f"frame {time}"))
    write_gif(path, pictures, 4)


def benchmark(directory: Path, successes: dict[str, int], episodes: int = 50) -> Path:
    """Writes what ``benchmark`` leaves: how often each simulator reached the goal."""
    record(directory, "benchmark")
    rows = [
        {
            "task": "push_blocks",
            "simulator": name,
            "planner": None if name in ("random", "noop") else "cem",
            "episodes": episodes,
            "successes": count,
            "success_rate": count / episodes,
            "ci95": list(wilson_interval(count, episodes)),
            "steps_to_success": 9 if count else None,
            "plan_seconds": None if name in ("random", "noop") else 0.14,
            "plan_seconds_alone": None if name in ("random", "noop") else 0.61,
            "evaluations": None if name in ("random", "noop") else 3000,
            "seed": 0,
        }
        for name, count in successes.items()
    ]
    results = {"rows": rows, "config": {}, "commit": "0123456", "versions": VERSIONS}
    (directory / "results.json").write_text(json.dumps(results))
    return directory


def page_of(runs: list[Path], path: Path, **options: Any) -> str:
    """The page that the verb makes of runs."""
    settings = {"title": None, "overwrite": True, "megabytes": 18.0, "seed": 0, **options}
    config = {"runs": [str(run) for run in runs], "output": str(path), **settings}
    return run(OmegaConf.create(config)).read_text(encoding="utf-8")
