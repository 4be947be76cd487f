"""Films of strangers become smaller, whatever they say of their pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from armillary.experiments.films.embedded import Film, FilmRequest, prepared


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("more", [{}, {"transparency": 1}])
def test_long_and_strange_films_are_made_smaller(
    tmp_path: Path, equal: bool, more: dict[str, object]
) -> None:
    random = np.random.default_rng(0)
    pixels = [random.integers(0, 256, (64, 64, 3), np.uint8) for _ in range(12)]
    first, *rest = [Image.fromarray(pixels[0 if equal else i]).quantize(64) for i in range(12)]
    path = tmp_path / "film.gif"
    first.save(
        path, save_all=True, append_images=rest, duration=50_000 if equal else 500_000, **more
    )
    (tmp_path / "scratch").mkdir()
    request = FilmRequest("film", "caption", "alt", path)
    (film,) = prepared([request], tmp_path / "scratch", 8000)
    assert isinstance(film, Film)
    assert film.gif.parent.name == "scratch"
    with Image.open(film.gif) as image:
        assert image.info["duration"] > 0


def test_no_film_that_was_made_smaller_is_wider_than_a_page(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    wide = [Image.fromarray(random.integers(0, 2, (9, 4000), np.uint8) * 255) for _ in range(3)]
    wide[0].save(tmp_path / "film.gif", save_all=True, append_images=wide[1:])
    (tmp_path / "scratch").mkdir()
    request = FilmRequest("film", "caption", "alt", tmp_path / "film.gif")
    as_it_is = (tmp_path / "film.gif").stat().st_size
    (film,) = prepared([request], tmp_path / "scratch", as_it_is)
    assert isinstance(film, Film)
    assert film.size[0] <= 1600
