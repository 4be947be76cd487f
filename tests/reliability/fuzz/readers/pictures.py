"""Films of a report with their stills, and masks of goals."""

from __future__ import annotations

import io
import tempfile
from functools import cache
from pathlib import Path
from random import Random

from omegaconf import OmegaConf
from PIL import Image, ImageDraw

from armillary.experiments.films.embedded import Film, FilmRequest, prepared
from armillary.experiments.planning.goals import reader_of
from armillary.pictures import STILLS
from tests.reliability.fuzz.mutate import raw
from tests.reliability.fuzz.reader import Files, Reader, replaced

_REFUSED = ("ICO", "TGA", "PCX", "EPS", "PDF")
_SIZE = (12, 8)


def _picture(time: int) -> Image.Image:
    picture = Image.new("RGB", _SIZE, (60, 60, 60))
    ImageDraw.Draw(picture).rectangle((time, 2, time + 4, 6), (200, 40, 90))
    return picture


def _saved(kind: str, **more: object) -> bytes:
    written = io.BytesIO()
    _picture(0).save(written, kind, **more)
    return written.getvalue()


@cache
def _films() -> list[Files]:
    film = io.BytesIO()
    rest = [_picture(time) for time in range(1, 4)]
    _picture(0).save(film, "GIF", save_all=True, append_images=rest, duration=100, loop=0)
    return [{"film.gif": film.getvalue(), "film.png": _saved("PNG")}]


def _film_damaged(random: Random, files: Files) -> Files:
    if random.random() < 0.05:
        return {**files, "film.gif": _other(random)}
    name = "film.gif" if random.random() < 0.75 else "film.png"
    return replaced(random, files, name, raw.damaged(random, files[name]))


def _other(random: Random) -> bytes:
    """A picture of another format, whole or damaged."""
    other = _saved(random.choice((*STILLS, *_REFUSED)))
    return random.choice((other, raw.damaged(random, other)))


def _embed(folder: Path) -> object:
    film, still = folder / "film.gif", folder / "film.png"
    seen = []
    with tempfile.TemporaryDirectory(dir=folder) as name:
        for request, budget in (
            (FilmRequest("film", "", "", film, still), 10**7),
            (FilmRequest("film", "", "", film), 2700),
        ):
            (shown,) = prepared([request], Path(name), budget)
            seen += [shown.sources, shown.size] if isinstance(shown, Film) else [shown.text]
    return seen


@cache
def _masks() -> list[Files]:
    return [{"mask": _saved(kind)} for kind in STILLS]


def _mask_damaged(random: Random, files: Files) -> Files:
    if random.random() < 0.05:
        return {"mask": _other(random)}
    return replaced(random, files, "mask", raw.damaged(random, files["mask"]))


def _mask(folder: Path) -> object:
    item = {"mask": str(folder / "mask"), "at": [0.5, 0.5]}
    section = {"_target_": "builtins.dict", "items": [item]}
    return reader_of(OmegaConf.create(section))


READERS = (
    Reader("report-films", _films, _film_damaged, _embed),
    Reader("goal-mask", _masks, _mask_damaged, _mask, share=2),
)
