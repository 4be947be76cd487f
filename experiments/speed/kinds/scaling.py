"""Rows of how time grows with slots K, samples S, horizon H and problems, clips, frames N."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from armillary.experiments.evaluation.speed import Growth, Row
from armillary.experiments.speed.cases import Case, Setting
from armillary.experiments.speed.kinds.evaluating import videos
from armillary.experiments.speed.kinds.planning import ALL, SLOTS, score
from armillary.experiments.speed.kinds.searching import solve
from armillary.experiments.speed.kinds.training import published, staged, step
from armillary.experiments.speed.subjects import OURS, has_slots, imagining

GROUP = "scaling"
_BY, _VALUE = "grows with", "value"


def cases(setting: Setting) -> Iterator[Case]:
    """What is asked of the first model, one thing growing at a time."""
    size, (name, *_) = setting.size, imagining(list(setting.models))
    stage = staged(setting, "joint")[0] if name == OURS else published(setting, name)
    steps = max(1, size.horizon // 2)
    for factor in size.factors:
        for outputs, few in ((SLOTS, size.candidates), (ALL, size.decoded)):
            told: dict[str, Any] = {"outputs": outputs, "horizon": steps}
            yield _by("S", few * factor, score(setting, name, **told, candidates=few * factor))
            yield _by("N problems", factor, score(setting, name, **told, problems=factor))
            if has_slots(name):
                yield _by("K", 3 * factor, score(setting, name, **told, slots=3 * factor))
            told["horizon"] = steps * factor
            yield _by("H", steps * factor, score(setting, name, **told))
        clips = replace(stage, batch_size=4 * factor)
        yield _by("N clips", 4 * factor, step(setting, name, clips))
        frames = replace(stage, batch_size=4, length=2 * factor)
        yield _by("N frames", 2 * factor, step(setting, name, frames))
        if has_slots(name):
            few_clips = replace(stage, batch_size=4)
            yield _by("K", 3 * factor, step(setting, name, few_clips, num_slots=3 * factor))
        yield _by("N videos", factor, videos(setting, name, count=factor))
        yield _by("S", 2 * factor, videos(setting, name, rollouts=2 * factor))
        yield _by("N problems", factor, solve(setting, "cem", factor, 5))
        yield _by("H", 3 * factor, solve(setting, "cem", 1, 3 * factor))


def growth(rows: Sequence[Row]) -> list[Growth]:
    """The exponents of what was measured, by least squares of the logarithms."""
    found: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for row in rows:
        if row.group == GROUP and row.measured is not None:
            name = f"{row.unit} of {row.name}"
            if "outputs" in row.settings:
                name += f", {row.settings['outputs']}"
            point = int(row.settings[_VALUE]), row.measured.seconds
            found.setdefault((name, str(row.settings[_BY])), []).append(point)
    return [
        Growth(name=name, by=by, values=[value for value, _ in points], exponent=_exponent(points))
        for (name, by), points in found.items()
        if len(points) > 1
    ]


def _by(letter: str, value: int, case: Case) -> Case:
    settings = {**case.settings, _BY: letter, _VALUE: value}
    return replace(case, group=GROUP, settings=settings, targets=())


def _exponent(points: Sequence[tuple[int, float]]) -> float:
    logs = [(math.log(value), math.log(seconds)) for value, seconds in points]
    mean_x, mean_y = (sum(column) / len(logs) for column in zip(*logs, strict=True))
    squares = sum((x - mean_x) ** 2 for x, _ in logs)
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / squares
