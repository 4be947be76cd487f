"""Evaluates batches of videos in this process or in several, and keeps each as it is finished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from armillary.experiments.evaluation.lpips import PerceptualDistance
from armillary.experiments.evaluation.store import Store
from armillary.experiments.evaluation.videos import Evaluator, Settings
from armillary.pool import Pool
from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.data import Split


@dataclass(frozen=True)
class Job:
    """Everything that a process needs to evaluate videos; picklable.

    Attributes:
        checkpoint: of the model.
        split: the videos; it carries no data.
        settings: how videos are evaluated.
        mean_image: (3, H, W).
        lpips: the TorchScript file, or None.
        device: of the model.
        threads: of each process.
        output: the directory of the run.
        num_slots: of the model; None for as many as it was trained with.
    """

    checkpoint: str
    split: Split
    settings: Settings
    mean_image: Tensor
    lpips: str | None
    device: str
    threads: int
    output: Path
    num_slots: int | None = None

    def evaluator(self) -> Evaluator:
        """Loads the model."""
        model = load_model(self.checkpoint, self.device, self.num_slots)
        device = model.action_mean.device
        lpips = None
        if self.lpips is not None:
            lpips = PerceptualDistance(self.lpips, model.image_size, device)
        return Evaluator(model, self.split, self.settings, self.mean_image, lpips)


def evaluate(
    job: Job, evaluator: Evaluator, batches: Sequence[Sequence[int]], workers: int
) -> Iterator[int]:
    """Evaluates and keeps all batches; yields how many videos each finished one had.

    Args:
        job: what the processes do.
        evaluator: this process's own.
        batches: of videos.
        workers: processes; 0 works in this one.

    Raises:
        RunError: a process died.
    """
    if workers < 1 or len(batches) < 2:
        before = torch.get_num_threads()
        torch.set_num_threads(job.threads)
        try:
            for batch in batches:
                yield _keep(evaluator, job.output, batch)
        finally:
            torch.set_num_threads(before)
        return
    hint = (
        "smaller batch and chunk or fewer workers take less memory, and the same command goes on "
        "with the videos that are left"
    )
    count = min(workers, len(batches))
    with Pool(count, _start, (job,), threads=job.threads, hint=hint) as pool:
        yield from pool.map(_work, batches)


def _keep(evaluator: Evaluator, output: Path, videos: Sequence[int]) -> int:
    store = Store(output)
    for video, scores in zip(videos, evaluator.scores(videos), strict=True):
        store.put(video, scores)
    return len(videos)


_state: dict[str, tuple[Job, Evaluator]] = {}
"""What a worker process holds between its batches."""


def _start(job: Job) -> None:
    """Prepares a worker process."""
    _state["job"] = (job, job.evaluator())


def _work(videos: Sequence[int]) -> int:
    job, evaluator = _state["job"]
    return _keep(evaluator, job.output, videos)
