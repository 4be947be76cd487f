"""Makes films small enough for one page: as they are where they fit, else smaller or shorter."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from itertools import islice
from pathlib import Path

from PIL import Image

from armillary.errors import ArmillaryError
from armillary.experiments.command.errors import UsageError
from armillary.pictures import FILM, frames_of, opened
from armillary.reading import reading

_WIDE = 640
"""Pixels from which on a picture may be scrolled sideways on a phone."""
_OVERHEAD = 1024
"""Bytes of HTML around a film, its captions included."""
_SIZES = (1.0, 0.8, 0.65, 0.5, 0.4, 0.3, 0.25)
_EVERY = (1, 2, 4)
_COLORS = 128
_STILL = ("PNG",)
_LARGEST = 1600
"""Pixels of a side of a film that was made smaller."""
_LONGEST = 655_350
"""Milliseconds that a GIF can show a picture."""
_SPARSE = 2
"""The palette is chosen from one in so many rows and columns."""


@dataclass(frozen=True)
class FilmRequest:
    """A film that a page should show.

    Attributes:
        title: what it is.
        caption: how to read it.
        alt: what it shows, for who cannot see it.
        gif: the file, which may be missing or damaged.
        still: a PNG that stands for it; ``None`` takes its last picture.
        group: what films of other runs it is shown with, or empty.
    """

    title: str
    caption: str
    alt: str
    gif: Path
    still: Path | None = None
    group: str = ""


@dataclass(frozen=True)
class Film:
    """A GIF, and the picture that stands for it where motion is unwanted.

    Attributes:
        title: what it is.
        caption: how to read it.
        gif: the file.
        still: a PNG file.
        alt: what it shows, for who cannot see it; empty takes the title.
    """

    title: str
    caption: str
    gif: Path
    still: Path
    alt: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        with opened(self.gif, FILM) as image:
            return image.size

    @property
    def wide(self) -> bool:
        """Whether it is too wide for a phone."""
        return self.size[0] >= _WIDE

    @property
    def sources(self) -> tuple[str, str]:
        """The GIF and the still, embedded."""
        return _embedded(self.gif, "image/gif"), _embedded(self.still, "image/png")


@dataclass(frozen=True)
class NoFilm:
    """What stands in the place of a film; ``warning`` if something is wrong with it."""

    text: str
    warning: bool = True


@dataclass(frozen=True)
class _Reel:
    """A GIF that was decoded once: how many milliseconds each picture is shown, and the last one.

    The pictures are decoded again whenever they are needed, so that one at a time is in memory.
    """

    gif: Path
    durations: Sequence[int]
    last: Image.Image

    def every(self, step: int, size: float) -> Iterator[Image.Image]:
        """One in ``step`` pictures, always the last, resized."""
        first = (len(self.durations) - 1) % step
        for picture in islice(frames_of(self.gif), first, None, step):
            yield _resized(picture, size)


def prepared(requests: Sequence[FilmRequest], scratch: Path, budget: int) -> list[Film | NoFilm]:
    """Every film; a note where the file is missing, damaged or shown before.

    Args:
        requests: in the order of the page.
        scratch: an existing directory for smaller films and stills; needed until the page is
            written.
        budget: bytes of the page that all films together may take.

    Raises:
        UsageError: the films do not fit, even at their smallest.
    """
    blocks: dict[int, Film | NoFilm] = {}
    films: dict[int, Film] = {}
    shown: dict[str, FilmRequest] = {}
    for index, request in enumerate(requests):
        missing = [file for file in (request.gif, request.still) if file and not file.is_file()]
        if missing:
            name = missing[0].name
            note = f"{request.title}: no picture, because {name} is missing beside the results."
            blocks[index] = NoFilm(note)
            continue
        try:
            digest = _digest(request.gif)
            if digest in shown:
                former = shown[digest].title
                note = f"{request.title}: the same film as {former}, shown above."
                blocks[index] = NoFilm(note, False)
                continue
            films[index] = _film(request, scratch / f"{index}.png")
            shown[digest] = request
        except ArmillaryError as error:
            note = f"{request.title}: no picture, because {error.args[-1]}."
            blocks[index] = NoFilm(note)
    shares = _shares({index: _cost(film) for index, film in films.items()}, budget)
    for index, film in films.items():
        fits = _cost(film) <= shares[index]
        blocks[index] = film if fits else _smaller(film, scratch / f"{index}.gif", shares[index])
    return [blocks[index] for index in range(len(requests))]


def _film(request: FilmRequest, still: Path) -> Film:
    """The film as it is; every picture of it has been decoded once."""
    reel = _read(request.gif)
    if request.still is None:
        reel.last.save(still)
    else:
        still = request.still
        with opened(still, _STILL) as image:
            image.load()
    return Film(request.title, request.caption, request.gif, still, request.alt)


def _digest(path: Path) -> str:
    with reading(path, "the file cannot be read"), open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> _Reel:
    durations, last = [], Image.new("RGB", (1, 1))
    for last in frames_of(path):
        durations.append(int(last.info["duration"]))
    return _Reel(path, durations, last)


def _cost(film: Film) -> int:
    """Bytes of the page that a film takes."""
    return _OVERHEAD + sum(4 * (f.stat().st_size // 3 + 1) for f in (film.gif, film.still))


def _shares(costs: dict[int, int], budget: int) -> dict[int, int]:
    """Bytes for each film: what small ones leave is shared by the large ones."""
    shares: dict[int, int] = {}
    left = budget
    for position, index in enumerate(sorted(costs, key=costs.__getitem__)):
        shares[index] = min(costs[index], left // (len(costs) - position))
        left -= shares[index]
    return shares


def _smaller(film: Film, path: Path, share: int) -> Film:
    """The largest and, after that, longest version of a film that costs no more than its share."""
    reel = _read(film.gif)
    small = Film(film.title, film.caption, path, path.with_suffix(".small.png"), film.alt)
    ratio, side = share / _cost(film), max(film.size)
    with opened(film.still, _STILL) as image:
        still = image.convert("RGB")
    for every in _EVERY:
        for size in _SIZES:
            if size * side > _LARGEST and size != _SIZES[-1]:
                continue  # no page shows it
            if size * size / every > 1.4 * ratio and (every, size) != (_EVERY[-1], _SIZES[-1]):
                continue  # bytes go with the area: far too large to be worth a try
            _write(reel, path, size, every)
            plain = _resized(still, size).quantize(_COLORS, method=Image.Quantize.FASTOCTREE)
            plain.save(small.still)
            if _cost(small) <= share:
                return small
    raise UsageError(
        f"the film {film.gif} takes {_cost(small)} bytes at its smallest, and {share} are left for "
        "it; give more megabytes=... or fewer runs"
    )


def _write(reel: _Reel, path: Path, size: float, every: int) -> None:
    """Writes one in ``every`` pictures, always the last, all in one palette."""
    kept = range((len(reel.durations) - 1) % every, len(reel.durations), every)
    durations = [sum(reel.durations[index : index + every]) for index in kept[:-1]]
    longest = _LONGEST // len(kept)  # equal pictures become one
    durations = [min(duration, longest) for duration in (*durations, reel.durations[-1])]
    palette = _palette(reel, size, every, (0, len(kept) // 2, len(kept) - 1))
    plain = (
        picture.quantize(palette=palette, dither=Image.Dither.NONE)
        for picture in reel.every(every, size)
    )
    next(plain).save(
        path, save_all=True, append_images=plain, duration=durations, loop=0, optimize=False
    )


def _palette(reel: _Reel, size: float, every: int, rows: Sequence[int]) -> Image.Image:
    """A palette of the colours in some of the pictures that ``_Reel.every`` gives."""
    width, height = _resized(reel.last, size).size
    width, height = width // _SPARSE + 1, height // _SPARSE + 1
    sample = Image.new("RGB", (width, len(rows) * height))
    for index, picture in enumerate(reel.every(every, size)):
        for row in [row for row, chosen in enumerate(rows) if chosen == index]:
            part = picture.resize((width, height), Image.Resampling.NEAREST)
            sample.paste(part, (0, row * height))
    return sample.quantize(_COLORS, method=Image.Quantize.MEDIANCUT)


def _resized(picture: Image.Image, size: float) -> Image.Image:
    width, height = (max(1, round(size * edge)) for edge in picture.size)
    return picture.resize((width, height), Image.Resampling.BILINEAR)


def _embedded(path: Path, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
