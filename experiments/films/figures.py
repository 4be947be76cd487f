"""Arranges what a model imagined, its slots and a planned episode into films and contact sheets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from torch import Tensor

from armillary.experiments.films.drawing import (
    Row,
    Tile,
    cutouts,
    segmentation,
    sheet,
    slot_colors,
    with_tracks,
)
from armillary.experiments.films.imagination import Imagination
from armillary.experiments.palette import CONTEXT, IMAGINED, REAL, SUCCESS
from armillary.experiments.pixels import Picture, pictures
from armillary.experiments.planning.planned_episode import PlannedEpisode
from armillary.world_models.state import Scene

_WIDTH = 1200
"""Pixels that a figure may be wide, so that a page or README shows it whole."""
_COLUMNS = 9
"""Moments that a contact sheet shows."""


@dataclass(frozen=True)
class Figure:
    """The same story twice.

    Attributes:
        film: pictures in time, for a GIF.
        contact_sheet: one picture that shows some moments side by side.
    """

    film: Sequence[Picture]
    contact_sheet: Picture


def rollout_figure(imagination: Imagination, side: int) -> Figure:
    """Real next to imagined: the mean, and the samples.

    Args:
        imagination: of one clip.
        side: of a tile in pixels, at most.
    """
    context, count = imagination.context_length, len(imagination.frames)
    real = pictures(imagination.frames)
    mean = pictures(imagination.imagined.frames)
    samples = pictures(imagination.samples)
    imagined_psnr = imagination.quality.open_loop_psnr[0].tolist()
    copy_psnr = imagination.quality.copy_psnr[0].tolist()
    side_of_film = _fitting(side, 2 + len(samples))

    def columns(time: int) -> list[Tile]:
        if time < context:
            tiles = [Tile(mean[time], CONTEXT, "reconstructed")]
            return tiles + [Tile(mean[time], CONTEXT, "reconstructed") for _ in samples]
        tiles = [Tile(mean[time], IMAGINED, "imagined: mean")]
        for index, sample in enumerate(samples):
            tiles.append(Tile(sample[time - context], IMAGINED, f"imagined: sample {index + 1}"))
        return tiles

    film = []
    for time in range(count):
        title = f"frame {time} of {count - 1} · context, seen by the model"
        note = "from here on it is given the actions alone"
        if time >= context:
            ahead = time - context
            title = f"frame {time} of {count - 1} · imagined, {_steps(ahead + 1)} ahead"
            note = f"PSNR of the mean {imagined_psnr[ahead]:.1f} dB"
            note += f", of copying the last seen frame {copy_psnr[ahead]:.1f} dB"
        row = Row("", [Tile(real[time], REAL, "real"), *columns(time)])
        film.append(sheet([row], side=side_of_film, title=title, note=note))

    times = _moments(context, count)
    by_time = [columns(time) for time in times]
    rows = [Row("real", [Tile(real[time]) for time in times])]
    names = ["mean", *(f"sample {index + 1}" for index in range(len(samples)))]
    for index, name in enumerate(names):
        tiles = [Tile(tiles[index].picture, tiles[index].border) for tiles in by_time]
        rows.append(Row(name, tiles))
    rows[-1] = Row(rows[-1].label, _timed(rows[-1].tiles, times, context))
    contact_sheet = sheet(
        rows,
        side=_fitting(side, len(times)),
        title="Real and imagined",
        note=f"context (blue), then steps imagined from the actions alone (orange); PSNR of the "
        f"mean {np.mean(imagined_psnr):.1f} dB, of copying the context {np.mean(copy_psnr):.1f} dB",
    )
    return Figure(film, contact_sheet)


def slots_figure(imagination: Imagination, side: int) -> Figure:
    """What each slot shows and covers, where every frame is seen and where it is imagined.

    Args:
        imagination: of one clip.
        side: of a tile in pixels, at most.
    """
    context, count = imagination.context_length, len(imagination.frames)
    colors = slot_colors(imagination.encoded.masks)
    side = _fitting(side, 3 + len(colors))
    seen = _dissected(imagination.frames, imagination.encoded, colors)
    imagined = _dissected(imagination.frames, imagination.imagined, colors)
    names = ["real", "model", "segments", *(f"slot {slot}" for slot in range(len(colors)))]

    def row(label: str, parts: list[list[Picture]], time: int, captions: Sequence[str]) -> Row:
        color = IMAGINED if parts is imagined and time >= context else CONTEXT
        tiles = zip(parts[time], [REAL, *[color] * (len(names) - 1)], captions, strict=True)
        return Row(label, [Tile(*tile) for tile in tiles])

    blank = [""] * len(names)
    ari = [*imagination.quality.context_ari[0], *imagination.quality.open_loop_ari[0]]
    film = []
    for time in range(count):
        ahead = time - context + 1
        now = "context" if ahead < 1 else f"imagined, {_steps(ahead)} ahead"
        rows = [row("seen", seen, time, blank), row("imagined", imagined, time, names)]
        title = f"frame {time} of {count - 1} · {now}"
        note = "" if ari[time].isnan() else f"FG-ARI of the lower row {ari[time]:.2f}"
        film.append(sheet(rows, side=side, title=title, note=note))

    last = count - 1
    middle = (context - 1 + last) // 2
    rows = [row("context", seen, context - 1, blank)]
    for time in sorted({middle, last} - {context - 1}):
        ahead = time - context + 1
        rows.append(row(f"seen +{ahead}", seen, time, blank))
        rows.append(row(f"imagined +{ahead}", imagined, time, names if time == last else blank))
    title = "What each slot shows where its mask lies"
    note = "seen (blue): the model saw every frame up to this one; imagined (orange): the context"
    note = f"{note} alone"
    return Figure(film, sheet(rows, side=side, title=title, note=note))


def plan_figure(planned: PlannedEpisode, side: int) -> Figure:
    """What the plans imagined against what then happened, the goal, and whether it was reached.

    Args:
        planned: the episode; of one without plans, what happened and the goal are shown.
        side: of a tile in pixels, at most.
    """
    episode, steps = planned.episode, planned.episode.steps
    verdict = f"{'success after' if episode.success else 'no success in'} {_steps(steps)}"
    goal = Tile(episode.goal_image, SUCCESS, "goal")
    plans = len(planned.plan_numbers) > 0

    def real(time: int, caption: str) -> Tile:
        if time < steps:
            return Tile(episode.frames[time], REAL, caption)
        ended = caption and ("goal reached" if episode.success else "goal not reached")
        return Tile(episode.frames[time], SUCCESS if episode.success else REAL, ended)

    def expected(time: int, caption: str) -> Tile:
        if time == 0:  # the first plan is made, but the first frame that it expects is to come
            return Tile(episode.frames[0], REAL, "start")
        return Tile(planned.imagined[time - 1], IMAGINED, caption)

    @cache
    def considered(plan: int) -> Tile:
        seen = episode.frames[planned.plan_numbers.index(plan)]
        drawn = with_tracks(seen, planned.candidates[plan], side)
        return Tile(drawn, IMAGINED, "what the search considered")

    side = _fitting(side, 5 if planned.candidates else 4)
    film = []
    for time in range(steps + 1):
        tiles = [real(time, "what happened")]
        title = f"episode {episode.seed} · step {time} of {steps}"
        if plans:
            end = planned.plan_ends[max(time - 1, 0)]
            number = planned.plan_numbers[max(time - 1, 0)]
            if planned.candidates:
                tiles.append(considered(number))
            tiles.append(expected(time, "what the plan expected"))
            tiles.append(Tile(end, IMAGINED, "where the plan ends"))
            title += f" · plan {number + 1}"
        title += f" · {verdict}" if time == steps else ""
        note = f"distance to the goal {planned.distances[time]:.3f}" if planned.distances else ""
        row = Row("", [*tiles, goal])
        film.append(sheet([row], side=side, title=title, note=note))

    times = _moments(1, steps + 1)
    told = {t: f"{planned.distances[t]:.3f}" if planned.distances else f"step {t}" for t in times}
    happened = [Tile(real(t, "").picture, real(t, "").border, told[t]) for t in times]
    rows = [Row("happened", [*happened, goal])]
    if plans:
        rows.append(Row("expected", [expected(time, f"step {time}") for time in times]))
    notes = ["with the distance to the goal at each step"] if planned.distances else []
    notes += [f"{planned.plan_numbers[-1] + 1} plans"] if plans else []
    contact_sheet = sheet(
        rows,
        side=_fitting(side, len(times) + 1),
        title=f"A planned episode: {verdict}",
        note="; ".join(notes),
    )
    return Figure(film, contact_sheet)


def _dissected(frames: Tensor, scene: Scene, colors: Tensor) -> list[list[Picture]]:
    """Per frame: the real one, the model's, its segmentation, and every slot."""
    real, model = pictures(frames), pictures(scene.frames)
    segments, slots = segmentation(scene.masks, colors), cutouts(scene.components, scene.masks)
    return [[real[t], model[t], segments[t], *slots[t]] for t in range(len(real))]


def _timed(tiles: Sequence[Tile], times: Sequence[int], context: int) -> list[Tile]:
    """The tiles with their moments as captions."""
    captions = ["context" if t < context else f"+{t - context + 1}" for t in times]
    pairs = zip(tiles, captions, strict=True)
    return [Tile(tile.picture, tile.border, caption) for tile, caption in pairs]


def _moments(context: int, count: int) -> list[int]:
    """The last moment of the context, and others spread evenly up to the last."""
    rest = np.linspace(context, count - 1, min(_COLUMNS - 1, count - context))
    return [context - 1, *(round(time) for time in rest.tolist())]


def _fitting(side: int, columns: int) -> int:
    """The side of a tile, so that so many fit into a figure."""
    return min(side, _WIDTH // columns - 20)


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"
