"""The verb ``evaluate``: accuracy, diversity and objects of imagined videos, with intervals."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig

from armillary import processors
from armillary.experiments.command.console import counting
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.stored import read, write
from armillary.experiments.evaluation.examples import write_examples
from armillary.experiments.evaluation.metrics import table
from armillary.experiments.evaluation.model_data import at, data_of, episodes_for
from armillary.experiments.evaluation.plots import write_plots
from armillary.experiments.evaluation.results import (
    RESULTS,
    EvaluatedData,
    Evaluation,
    Example,
)
from armillary.experiments.evaluation.store import Store, check_identity, data_in
from armillary.experiments.evaluation.summary import condense, summarise
from armillary.experiments.evaluation.table import show
from armillary.experiments.evaluation.videos import Settings, mean_image
from armillary.experiments.evaluation.workers import Job, evaluate
from armillary.experiments.running.provenance import made_with
from armillary.suggestions import suggest
from armillary.world_models.checkpoints.checkpoint import CheckpointInfo, load_model, read_info
from armillary.world_models.checkpoints.locate import WEIGHTS_FILE
from armillary.world_models.data import EpisodeFile, Split
from armillary.world_models.device import resolve_device
from armillary.world_models.validation.crowding import look

log = logging.getLogger(__name__)

ARRAYS = "metrics.npz"
_LOOKED_AT = 4
"""Videos that are looked at before, for more things than slots."""
_RESUME = ("auto", "never")


def run(config: DictConfig) -> Evaluation:
    """Evaluates, goes on with an interrupted evaluation, or shows a finished one.

    Returns:
        What ``results.json`` holds.

    Raises:
        DataError: the file of episodes cannot be used, or has no such split.
        CheckpointError: there is no usable checkpoint.
        UsageError: a number is out of range, or model, data and settings do not fit together.
        RunError: the model imagines NaN, or a worker process died.
    """
    device = _device(config)
    output = Path(config.output).expanduser()
    info = read_info(config.checkpoint)
    model = load_model(info.path, device, config.num_slots)
    file = episodes_for(model, config.checkpoint, config.data)
    split = file.split(config.split)
    _check_videos(config, split)
    settings = _settings(config, split, model.context_length, info.stride)
    count = len(split) if config.videos is None else config.videos
    metrics = table()
    frames = {name: metric for name, metric in metrics.items() if metric.of == "frames"}
    identity = _identity(config, info, file, settings, count, list(frames))
    store, finished = Store(output), (output / RESULTS).is_file()
    there = _results(output).identity if finished else store.begun()
    if config.resume == "never" and (there or finished):
        raise UsageError(f"output={output} holds an evaluation; choose another, or resume=auto")
    told = check_identity(output, there, identity, config.data.changed)
    if finished and not told:
        return _finished(output)
    identity["former"] = [*there.get("former", ()), *([data_in(there)] if told else ())]
    job = Job(
        checkpoint=str(info.path.resolve()),
        split=split,
        settings=settings,
        mean_image=mean_image(_background(file, split)),
        lpips=None if config.lpips is None else str(Path(config.lpips).expanduser().resolve()),
        device=device,
        threads=_threads(config),
        num_slots=config.num_slots,
        output=output,
    )
    evaluator = job.evaluator()
    look(evaluator.core, evaluator.window(range(min(_LOOKED_AT, count))).frames[:, 0])
    if told:
        log.warning("evaluating anew with other data: %s", told)
        (output / RESULTS).unlink(missing_ok=True)
        store.remove()
    store.begin(identity)
    left = [video for video in range(count) if not store.has(video)]
    if len(left) < count:
        log.info("%d of %d videos are finished already", count - len(left), count)
    batches = [left[start : start + config.batch] for start in range(0, len(left), config.batch)]
    progress, task = counting("evaluating", count)
    progress.advance(task, count - len(left))
    with progress:
        for finished in evaluate(job, evaluator, batches, config.workers):
            progress.advance(task, finished)
    summary = summarise(
        (condense(store.get(video), video, config.seed, frames) for video in range(count)),
        settings.context,
        config.seed,
        metrics,
    )
    store.gather(output / ARRAYS, range(count), {"episodes": np.arange(count)})
    examples = write_examples(evaluator, store, count, output, config.side, config.fps)
    results = Evaluation(
        verb="evaluate",
        name=config.name,
        model=info.model["name"],
        checkpoint=str(config.checkpoint),
        data=EvaluatedData(
            **data_of(file, identity["former"]).model_dump(exclude_unset=True),
            split=config.split,
            episodes=len(split),
            length=split.length,
            image_size=split.info.image_size,
            action_size=split.info.action_size,
            has_masks=split.has_masks,
        ),
        videos=count,
        rollouts=settings.rollouts,
        context=settings.context,
        horizon=settings.horizon,
        seed=config.seed,
        **summary,
        examples=[Example(**example) for example in examples],
        identity=identity,
        **made_with(config),
    )
    write_plots(results, output / "plots")
    write(output / RESULTS, results)
    store.remove()
    show(results)
    log.info("results in %s", output)
    return results


def _device(config: DictConfig) -> str:
    """The device of all processes; workers share the CPU, so that ``auto`` is that for them.

    Raises:
        UsageError: something is out of range, or workers are to share another device.
    """
    if config.resume not in _RESUME:
        raise UsageError(f"unknown resume {config.resume!r}; {suggest(config.resume, _RESUME)}")
    if config.workers < 0:
        raise UsageError(f"workers must be at least 0, got {config.workers}")
    device = resolve_device(config.device)
    if not config.workers or device.type == "cpu":
        return config.device
    if config.device == "auto":
        log.info(
            "workers=%d share the processors, so device=auto is the cpu; workers=0 takes %s",
            *(config.workers, device),
        )
        return "cpu"
    raise UsageError(
        f"workers={config.workers} share the CPU, and device={config.device} is {device} here; "
        "give workers=0, or device=cpu"
    )


def _check_videos(config: DictConfig, split: Split) -> None:
    """Raises UsageError unless the split has as many videos as are asked for."""
    if config.videos is not None and not 1 <= config.videos <= len(split):
        raise UsageError(
            f"videos must be in 1..{len(split)}, the episodes of split {split.name!r} of "
            f"{split.path}, got {config.videos}"
        )


def _settings(config: DictConfig, split: Split, model_context: int, stride: int) -> Settings:
    """How videos are evaluated; raises UsageError unless the split's are long enough."""
    context = model_context if config.context is None else config.context
    frames = (split.length - 1) // stride + 1
    longest = frames - context
    if longest < 1:
        raise UsageError(
            f"the videos of split {split.name!r} of {split.path} have {frames} frames{at(stride)}; "
            f"after context={context} none is left to imagine, which takes {context + 1}"
        )
    horizon = longest if config.horizon is None else config.horizon
    if not 1 <= horizon <= longest:
        raise UsageError(
            f"horizon must be in 1..{longest}: the videos of split {split.name!r} have "
            f"{frames} frames{at(stride)}, of which {context} are the context; got {horizon}"
        )
    if config.objects == "required" and not split.has_masks:
        raise UsageError(
            f"objects=required compares masks, but split {split.name!r} of {split.path} has none; "
            "choose objects=auto or data with masks"
        )
    return Settings(
        context=context,
        horizon=horizon,
        rollouts=config.rollouts,
        seed=config.seed,
        chunk=config.chunk,
        objects=split.has_masks and config.objects != "never",
        precision=config.precision,
        stride=stride,
    )


def _identity(
    config: DictConfig,
    info: CheckpointInfo,
    file: EpisodeFile,
    settings: Settings,
    count: int,
    metrics: Sequence[str],
) -> dict[str, Any]:
    """What the numbers depend on; not how many are computed together, or where."""
    decisive = {name: value for name, value in asdict(settings).items() if name != "chunk"}
    if settings.stride == 1:  # what was evaluated before strides were kept
        del decisive["stride"]
    lpips = None
    if config.lpips is not None and Path(config.lpips).expanduser().is_file():
        lpips = sha256(Path(config.lpips).expanduser().read_bytes()).hexdigest()
    slots = {} if config.num_slots is None else {"num_slots": config.num_slots}
    identity = {
        **decisive,
        **slots,
        "model": info.model,
        "weights": {WEIGHTS_FILE: info.digests[WEIGHTS_FILE]},
        "data": file.identity,
        "bytes of data": file.path.stat().st_size,
        "metrics": list(metrics),
        "split": config.split,
        "videos": count,
        "lpips": lpips,
    }
    return json.loads(json.dumps(identity))  # as it is read again


def _results(output: Path) -> Evaluation:
    """The results that are there."""
    try:
        return read(output / RESULTS, Evaluation)
    except UsageError as error:
        raise UsageError(f"{error}; remove the file to evaluate again") from error


def _finished(output: Path) -> Evaluation:
    """Shows the results that are there."""
    results = _results(output)
    Store(output).remove()  # what a command that was killed at its very end left
    show(results)
    log.info("finished already: %s", output / RESULTS)
    return results


def _background(file: EpisodeFile, split: Split) -> Split:
    """What the mean image is taken from: the training split where the file has one."""
    known = file.splits.get("train")
    return file.split("train") if known is not None and known.episodes else split


def _threads(config: DictConfig) -> int:
    """Of each process."""
    if config.threads is not None:
        return config.threads
    return processors.for_each(max(1, config.workers), torch.get_num_threads(), os.environ)
