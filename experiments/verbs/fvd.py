"""The verb ``fvd``: Frechet distances between real and generated videos, over populations."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from rich.table import Table
from torch import Tensor

from armillary.experiments.command.config import to_dict
from armillary.experiments.command.console import counted, counting, results
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.stored import write
from armillary.experiments.evaluation.results import RESULTS, Distance, Realism
from armillary.experiments.realism.i3d import I3D, WHERE
from armillary.experiments.realism.populations import Population, check_comparable, divide
from armillary.experiments.realism.slot_features import SlotFeatures
from armillary.experiments.realism.video_file import VideoFile
from armillary.experiments.running.provenance import made_with
from armillary.world_models.checkpoints.checkpoint import load_model, read_info
from armillary.world_models.checkpoints.locate import WEIGHTS_FILE
from armillary.world_models.data.identity import content_digest
from armillary.world_models.device import resolve_device
from armillary.world_models.metrics import FeatureStatistics, check_sample_count, frechet_distance

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measure:
    """A Frechet distance on the features of one network.

    Attributes:
        key: its name in the results.
        title: its name in the table.
        network: what the results say of the network.
        features: videos (N, T, H, W, 3) in 0..255 -> (N, F).
    """

    key: str
    title: str
    network: dict[str, str]
    features: Callable[[Tensor], Tensor]


def run(config: DictConfig) -> Realism:
    """Measures, writes ``results.json`` and returns its content.

    Raises:
        UsageError: files, weights or numbers do not suit, or there are too few videos.
        CheckpointError: there is no usable checkpoint.
    """
    files = {side: _open(config, side) for side in ("real", "generated")}
    populations = config.populations
    if populations is None:
        populations = max(len(opened) for opened in files.values())
    real, generated = (
        divide(opened, populations, config.videos, config.seed) for opened in files.values()
    )
    measures = _measures(config)
    check_comparable(real, generated)
    progress, task = counting("measuring", len(measures) * sum(map(len, (*real, *generated))))
    distances: dict[str, Distance] = {}
    with progress:
        for measure in measures:
            distances[measure.key] = _measured(
                measure, real, generated, config.batch, lambda done: progress.advance(task, done)
            )
    found = Realism(
        verb="fvd",
        distances=distances,
        populations=populations,
        videos={"real": len(real[0]), "generated": len(generated[0])},
        frames=real[0].file.shape[1],
        image_size=list(real[0].file.shape[2:4]),
        files={side: [_described(file) for file in opened] for side, opened in files.items()},
        **made_with(config),
    )
    write(Path(config.output).expanduser() / RESULTS, found)
    _show(measures, found)
    return found


def _open(config: DictConfig, side: str) -> list[VideoFile]:
    """The files of one side: a path or a list of different ones."""
    given = to_dict(config)[side]
    paths = [
        Path(str(path)).expanduser() for path in (given if isinstance(given, list) else [given])
    ]
    if not paths or len({path.resolve() for path in paths}) < len(paths):
        raise UsageError(f"{side} must name a file, or a list of different files, got {given}")
    return [VideoFile(path) for path in paths]


def _measures(config: DictConfig) -> list[Measure]:
    """The distances whose networks were given."""
    device = resolve_device(config.device)
    measures: list[Measure] = []
    if config.weights is not None:
        i3d = I3D(Path(str(config.weights)).expanduser(), device)
        network = {"weights": str(config.weights), "sha256": i3d.sha256}
        measures.append(Measure("fvd", "FVD", network, i3d.features))
    if config.checkpoint is not None:
        features = SlotFeatures(load_model(config.checkpoint, device)).features
        digest = read_info(config.checkpoint).digests[WEIGHTS_FILE]
        network = {"checkpoint": str(config.checkpoint), "sha256": digest}
        title = "slot Frechet distance"
        measures.append(Measure("slot_frechet_distance", title, network, features))
    if not measures:
        raise UsageError(
            f"nothing to measure with. {WHERE}. Or give checkpoint=pretrained/push_blocks (or a "
            "run) for the slot Frechet distance, which needs no download and is no FVD"
        )
    return measures


def _measured(
    measure: Measure,
    real: Sequence[Population],
    generated: Sequence[Population],
    batch: int,
    advance: Callable[[int], None],
) -> Distance:
    """One distance of every pair of populations, and their mean and spread."""
    values: list[float] = []
    feature_size = 0
    for index, pair in enumerate(zip(real, generated, strict=True)):
        one, other = (_statistics(measure, population, batch, advance) for population in pair)
        feature_size = one.feature_size
        smallest = min(one.count, other.count)
        if not index and smallest <= feature_size:
            log.warning(
                "%s: %d videos for %d features leave the covariance rank-deficient, so that the "
                "distance is biased upwards; compare only numbers of equally many videos",
                measure.title,
                smallest,
                feature_size,
            )
        values.append(
            float(frechet_distance(one.mean, one.covariance, other.mean, other.covariance))
        )
    return Distance(
        mean=float(np.mean(values)),
        std=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        per_population=values,
        feature_size=feature_size,
        network=measure.network,
    )


def _statistics(
    measure: Measure, population: Population, batch: int, advance: Callable[[int], None]
) -> FeatureStatistics:
    """Streams a population through a network."""
    statistics = FeatureStatistics()
    for start in range(0, len(population), batch):
        rows = population.rows[start : start + batch]
        features = measure.features(torch.from_numpy(population.file.read(rows)))
        if not features.isfinite().all():
            row = rows[int((~features.isfinite()).any(1).nonzero()[0])]
            raise UsageError(
                f"{population.file.path}: the features of video {row} are NaN or infinite for "
                f"{measure.network}"
            )
        check_sample_count(len(population), features.shape[1])
        statistics.update(features)
        advance(len(rows))
    return statistics


def _described(file: VideoFile) -> dict[str, Any]:
    return {
        "path": str(file.path),
        "sha256": content_digest(file.path),
        "videos": len(file),
        "attributes": file.attributes,
    }


def _show(measures: Sequence[Measure], found: Realism) -> None:
    videos = found.videos
    sizes = f"{videos['real']} real and {videos['generated']} generated videos"
    title = f"{counted(found.populations, 'population')} of {sizes}, {found.frames} frames"
    table = Table("distance", "mean", "std", "features", title=title)
    for measure in measures:
        row = found.distances[measure.key]
        spread = "" if row.std is None else f"{row.std:.4g}"
        table.add_row(measure.title, f"{row.mean:.4g}", spread, str(row.feature_size))
    results.print(table)
    for measure in measures:
        used = ", ".join(f"{name} {value}" for name, value in measure.network.items())
        results.print(f"{measure.title}: {used}", highlight=False, markup=False, soft_wrap=True)
