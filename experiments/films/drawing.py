"""Draws with PIL: frames and masks to tiles, captioned tiles to sheets, sheets to PNG and GIF."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from armillary.experiments.palette import (
    IMAGINED,
    INK,
    MUTED,
    PAPER,
    REAL,
    SHADED,
    SLOTS,
    Color,
)
from armillary.experiments.pixels import Picture, pictures
from armillary.files import write_bytes

_CHECKS = (0.66, 0.76)
_MARGIN, _GAP, _BORDER = 14, 10, 3
_TITLE, _TEXT = 18, 14
_FINE = 3
"""How many times finer lines are drawn than they are shown."""
_STILL = 0.03
"""What moves no further, in image widths, is drawn without a line."""
_LINGER = 4
"""How many times longer than the others the last picture of a GIF stays."""


@dataclass(frozen=True)
class Tile:
    """A picture with a border and a caption below it.

    Attributes:
        picture: (H, W, 3) uint8.
        border: its meaning is one of the palette's.
        caption: one line, or empty.
    """

    picture: Picture
    border: Color = REAL
    caption: str = ""


@dataclass(frozen=True)
class Row:
    """Tiles side by side, with a label to their left unless it is empty."""

    label: str
    tiles: Sequence[Tile]


def slot_colors(masks: Tensor) -> Tensor:
    """A colour per slot: grey for the one that covers most, the background, else all different.

    Args:
        masks: (..., K, 1, H, W), of all pictures that are to share the colours.

    Returns:
        (K, 3) in [0, 1].
    """
    areas = masks.sum((-1, -2, -3)).reshape(-1, masks.shape[-4]).mean(0)
    background = int(areas.argmax())
    others = [slot for slot in range(len(areas)) if slot != background]
    colors = torch.empty(len(areas), 3)
    colors[background] = torch.tensor(SHADED) / 255.0
    for index, slot in enumerate(others):
        colors[slot] = torch.tensor(_color(index)) / 255.0
    return colors


def segmentation(masks: Tensor, colors: Tensor) -> Picture:
    """Each slot's mask in its colour; mixed where slots share a pixel.

    Args:
        masks: (..., K, 1, H, W) in [0, 1], summing to 1 over K.
        colors: (K, 3) in [0, 1].

    Returns:
        (..., H, W, 3).
    """
    return pictures((masks.cpu() * colors[:, :, None, None]).sum(-4))


def cutouts(components: Tensor, masks: Tensor) -> Picture:
    """Each slot's component where its mask shows it, on a grey checkerboard elsewhere.

    Args:
        components: (..., K, 3, H, W) in [0, 1].
        masks: (..., K, 1, H, W) in [0, 1].

    Returns:
        (..., K, H, W, 3).
    """
    height, width = masks.shape[-2:]
    rows, columns = torch.arange(height) * 8 // height, torch.arange(width) * 8 // width
    dark = (rows[:, None] + columns) % 2 == 0
    board = torch.where(dark, *_CHECKS).to(masks)
    return pictures(masks * components + (1.0 - masks) * board)


def zoom(picture: Picture, side: int) -> Picture:
    """Enlarges a square picture by the greatest whole factor that keeps it within ``side``."""
    factor = max(1, side // len(picture))
    return picture.repeat(factor, 0).repeat(factor, 1)


def with_tracks(picture: Picture, tracks: NDArray[np.float32], side: int) -> Picture:
    """Draws on an enlarged picture where things go: the first candidate strong, the others faint.

    Args:
        picture: (H, W, 3), square.
        tracks: (S, T + 1, K, 2), x right and y down, in [0, 1] of the picture. A thing that stays
            where it is has no line.
        side: see ``zoom``.
    """
    large = zoom(picture, side)
    scale = _FINE * len(large)
    fine = Image.fromarray(large).resize((scale, scale), Image.Resampling.NEAREST)
    moved = np.abs(tracks - tracks[:, :1]).max((1, 3)) > _STILL
    for candidate in reversed(range(len(tracks))):
        veil = Image.new("L", fine.size)
        draw = ImageDraw.Draw(veil)
        best = candidate == 0
        for thing in np.flatnonzero(moved[candidate]).tolist():
            line = [(x * scale, y * scale) for x, y in tracks[candidate, :, thing].tolist()]
            draw.line(line, 255 if best else 130, (5 if best else 2) * _FINE // 2, joint="curve")
            if best:
                (x, y), r = line[-1], 4 * _FINE
                draw.ellipse((x - r, y - r, x + r, y + r), 255)
        fine.paste(IMAGINED if best else INK, (0, 0), veil)
    return np.asarray(fine.resize((len(large), len(large)), Image.Resampling.LANCZOS))


def sheet(rows: Sequence[Row], *, side: int, title: str, note: str = "") -> Picture:
    """Arranges rows of tiles under a title.

    Args:
        rows: at least one; shorter ones leave their end blank.
        side: greatest width and height of a tile in pixels; pictures grow by whole factors.
        title: one line.
        note: a further line in a quieter colour.
    """
    scaled = [[zoom(tile.picture, side) for tile in row.tiles] for row in rows]
    cell = max(len(picture) for row in scaled for picture in row) + 2 * _BORDER
    count = max(len(row) for row in scaled)
    labels = max(_width(row.label, _TEXT) for row in rows)
    left = _MARGIN + (labels + _GAP if labels else 0)
    heading = [(title, _TITLE, INK), (note, _TEXT, MUTED)]
    heading = [line for line in heading if line[0]]
    width = left + count * (cell + _GAP) - _GAP + _MARGIN
    width = max(width, *(2 * _MARGIN + _width(text, size) for text, size, _ in heading))
    heights = [cell + (_TEXT + 8 if any(tile.caption for tile in row.tiles) else 0) for row in rows]
    top = _MARGIN + sum(size + 8 for _, size, _ in heading)
    height = top + sum(heights) + _GAP * (len(rows) - 1) + _MARGIN
    image = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(image)
    y = _MARGIN
    for text, size, color in heading:
        draw.text((_MARGIN, y), text, color, _font(size))
        y += size + 8
    for row, row_pictures, row_height in zip(rows, scaled, heights, strict=True):
        draw.text((_MARGIN, y + cell // 2), row.label, INK, _font(_TEXT), anchor="lm")
        for column, (tile, picture) in enumerate(zip(row.tiles, row_pictures, strict=True)):
            x = left + column * (cell + _GAP)
            size = len(picture) + 2 * _BORDER
            draw.rectangle((x, y, x + size - 1, y + size - 1), tile.border)
            image.paste(Image.fromarray(picture), (x + _BORDER, y + _BORDER))
            middle = (x + size // 2, y + size + 4)
            draw.text(middle, tile.caption, MUTED, _font(_TEXT), anchor="ma")
        y += row_height + _GAP
    return np.asarray(image)


def write_gif(path: Path, sheets: Sequence[Picture], fps: float) -> None:
    """Writes an endless GIF; its last picture stays longer.

    Args:
        path: of the file.
        sheets: at least one; smaller ones are filled up with white to the greatest size.
        fps: pictures per second.
    """
    height = max(picture.shape[0] for picture in sheets)
    width = max(picture.shape[1] for picture in sheets)
    film = np.full((len(sheets), height, width, 3), PAPER, np.uint8)
    for frame, picture in zip(film, sheets, strict=True):
        frame[: picture.shape[0], : picture.shape[1]] = picture
    duration = 1000.0 / fps
    durations = [duration] * (len(film) - 1) + [duration * _LINGER]
    # In memory, for on a full disk the library prints tracebacks of its own.
    encoded = imageio.imwrite("<bytes>", film, extension=".gif", duration=durations, loop=0)
    write_bytes(path, encoded)


def write_png(path: Path, picture: Picture) -> None:
    """Writes a PNG."""
    write_bytes(path, imageio.imwrite("<bytes>", picture, extension=".png"))


def _color(index: int) -> Color:
    """The palette's colours, then hues that keep their distance from each other."""
    if index < len(SLOTS):
        return SLOTS[index]
    red, green, blue = colorsys.hsv_to_rgb(index * 0.618 % 1.0, 0.55, 0.75)
    return round(255 * red), round(255 * green), round(255 * blue)


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _width(text: str, size: int) -> int:
    return int(np.ceil(_font(size).getlength(text)))
