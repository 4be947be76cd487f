"""Drawings show the right pixels in the right places, and files read back as they were written."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from armillary.experiments.films.drawing import (
    Row,
    Tile,
    cutouts,
    segmentation,
    sheet,
    slot_colors,
    write_gif,
    write_png,
    zoom,
)
from armillary.experiments.palette import CONTEXT, IMAGINED, REAL
from armillary.experiments.pixels import Picture, pictures


def noise(seed: int, size: int = 8) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def find(page: Picture, patch: Picture) -> list[tuple[int, int]]:
    """Where a patch occurs exactly."""
    height, width, _ = patch.shape
    starts = np.argwhere((page == patch[0, 0]).all(-1)).tolist()
    return [(y, x) for y, x in starts if np.array_equal(page[y : y + height, x : x + width], patch)]


def one_hot(labels: torch.Tensor, slots: int) -> torch.Tensor:
    """(H, W) -> (K, 1, H, W)."""
    return torch.nn.functional.one_hot(labels, slots).permute(2, 0, 1).float().unsqueeze(1)


@pytest.mark.parametrize(("side", "factor"), [(16, 2), (23, 2), (24, 3), (3, 1)])
def test_zoom_repeats_pixels_by_the_greatest_whole_factor_that_fits(side: int, factor: int) -> None:
    picture = noise(0)
    large = zoom(picture, side)
    assert large.shape == (8 * factor, 8 * factor, 3)
    for y in range(factor):
        for x in range(factor):
            assert np.array_equal(large[y::factor, x::factor], picture)


def test_pictures_round_and_clip() -> None:
    frames = torch.tensor([-0.2, 0.0, 0.5, 1.0, 1.3]).view(1, 1, 5).expand(3, 1, 5)
    assert pictures(frames)[0, :, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_slots_have_distinct_colours_and_the_background_is_grey(count: int) -> None:
    labels = torch.zeros(2 * count, 8, dtype=torch.long)
    labels[: count - 1] = torch.arange(count - 1).unsqueeze(1)
    labels[count - 1 :] = count - 1
    colors = slot_colors(one_hot(labels, count))
    assert colors.shape == (count, 3)
    assert colors[-1].max() - colors[-1].min() < 0.05, "the last slot covers most: grey"
    distances = torch.cdist(colors, colors) + torch.eye(count)
    assert distances.min() > 0.1


def test_segmentation_shows_each_slot_in_its_colour() -> None:
    labels = torch.arange(3).repeat_interleave(3).view(1, 9).expand(9, 9)
    masks = one_hot(labels, 3)
    colors = slot_colors(masks)
    picture = segmentation(masks, colors)
    assert np.array_equal(picture, (colors[labels] * 255).round().byte().numpy())
    half = segmentation(torch.full((2, 1, 4, 4), 0.5), torch.tensor([[0.0] * 3, [1.0] * 3]))
    assert (half == 128).all(), "shared pixels mix"


def test_cutouts_show_the_component_under_the_mask_and_a_checkerboard_elsewhere() -> None:
    components = torch.rand(2, 3, 16, 16)
    masks = one_hot((torch.arange(16) < 8).long().view(1, 16).expand(16, 16), 2)
    shown = cutouts(components, masks)
    expected = pictures(components)
    assert np.array_equal(shown[0, :, 8:], expected[0, :, 8:])
    assert np.array_equal(shown[1, :, :8], expected[1, :, :8])
    board = shown[0, :, :8]
    greys = np.unique(board)
    assert len(greys) == 2, "two greys"
    assert abs((board == greys[0]).mean() - 0.5) < 1e-9, "half of each"


def test_a_sheet_holds_every_tile_intact_in_its_row_and_column_with_its_border() -> None:
    tiles = [[Tile(noise(3 * r + c), (CONTEXT, IMAGINED)[r]) for c in range(3)] for r in range(2)]
    page = sheet([Row("a", tiles[0]), Row("b", tiles[1])], side=24, title="A title")
    places = np.array([[find(page, zoom(tile.picture, 24)) for tile in row] for row in tiles])
    assert places.shape == (2, 3, 1, 2), "each tile exactly once"
    assert (np.diff(places[:, :, 0, 0], axis=0) > 24).all(), "rows below each other"
    assert (np.diff(places[:, :, 0, 1], axis=1) > 24).all(), "columns beside each other"
    for row, color in ((0, CONTEXT), (1, IMAGINED)):
        y, x = places[row, 0, 0]
        assert (page[y - 1, x : x + 24] == color).all()
        assert (page[y : y + 24, x + 24] == color).all()


def test_a_long_title_widens_the_sheet_and_captions_do_not_touch_tiles() -> None:
    tile = Tile(noise(0), REAL)
    narrow = sheet([Row("", [tile])], side=16, title="x")
    wide = sheet([Row("", [tile])], side=16, title="x" * 80, note="y")
    assert wide.shape[1] > narrow.shape[1] + 300
    assert (wide[:, -5:] == 255).all(), "nothing is cut off at the right"
    captioned = sheet([Row("", [Tile(tile.picture, REAL, "caption")])], side=16, title="x")
    assert len(find(captioned, zoom(tile.picture, 16))) == 1
    assert captioned.shape[0] > narrow.shape[0]


def test_a_gif_repeats_forever_keeps_its_pictures_and_lingers_on_the_last(tmp_path: Path) -> None:
    sheets = [sheet([Row("", [Tile(noise(i), REAL)])], side=32, title=f"{i}") for i in range(4)]
    write_gif(tmp_path / "a.gif", sheets, fps=4)
    with Image.open(tmp_path / "a.gif") as gif:
        assert (gif.n_frames, gif.info["loop"]) == (4, 0)
        durations, error = [], []
        for index, expected in enumerate(sheets):
            gif.seek(index)
            durations.append(gif.info["duration"])
            error.append(np.abs(np.asarray(gif.convert("RGB"), int) - expected).mean())
    assert durations == [250, 250, 250, 1000]
    assert max(error) < 3.0, "256 colours suffice"


def test_a_gif_of_sheets_of_several_sizes_has_the_greatest(tmp_path: Path) -> None:
    sheets = [sheet([Row("", [Tile(noise(0))])], side=16, title=title) for title in ("a", "b" * 50)]
    write_gif(tmp_path / "a.gif", sheets, fps=10)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.size == (sheets[1].shape[1], sheets[1].shape[0])


def test_a_png_is_lossless(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", noise(0))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), noise(0))


@pytest.mark.parametrize("kind", ["gif", "png"])
def test_a_full_disk_ends_in_one_error_without_tracebacks_of_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    resource = pytest.importorskip("resource")
    path, picture = tmp_path / f"film.{kind}", noise(0, 64)
    write = {
        "gif": lambda: write_gif(path, [picture, noise(1, 64)], 4.0),
        "png": lambda: write_png(path, picture),
    }
    ignored: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write[kind]()
        gc.collect()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not ignored
    assert not any(tmp_path.iterdir())
