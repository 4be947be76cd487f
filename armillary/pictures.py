"""Pictures and films in files: of formats that start no program, decoded one at a time, bounded."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageSequence

from armillary.errors import ArmillaryError
from armillary.reading import reading

FILM = ("GIF",)
STILLS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
"""Formats that are decoded in this process; Pillow would hand others, PostScript say, to others."""
_MOST, _MOST_OF_FILM = 2**24, 2**28
"""Pixels of a picture, and of all pictures of a film: a few bytes can ask for any number."""


@contextmanager
def opened(
    path: Path, formats: tuple[str, ...], kind: type[ArmillaryError] = ArmillaryError
) -> Iterator[Image.Image]:
    """A picture that the block decodes.

    Args:
        path: of the file.
        formats: that it may have, in Pillow's words.
        kind: of the error.

    Raises:
        ArmillaryError: of the ``kind``: it cannot be read or decoded, or is too large.
    """
    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    named = ", ".join(formats)
    with (
        reading(path, f"the file is damaged, or no {named}", kind, *bombs),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=formats) as image:
            _check(image.width * image.height, _MOST)
            yield image


def frames_of(path: Path, kind: type[ArmillaryError] = ArmillaryError) -> Iterator[Image.Image]:
    """The pictures of a GIF, RGB, one in memory at a time; ``info`` has the ``duration``.

    Raises:
        ArmillaryError: of the ``kind``: see ``opened``; or they are too many, or one is larger than
            the film.
    """
    seen = 0
    with opened(path, FILM, kind) as image:
        size = image.size
        for picture in ImageSequence.Iterator(image):
            if picture.size != size:
                raise ValueError(f"a picture of {picture.size} pixels in a film of {size}")
            seen += picture.width * picture.height
            _check(seen, _MOST_OF_FILM)
            plain = picture.convert("RGB")
            plain.info = {"duration": picture.info.get("duration", 100)}
            yield plain


def _check(pixels: int, most: int) -> None:
    if pixels > most:
        raise ValueError(f"more than {most} pixels")
