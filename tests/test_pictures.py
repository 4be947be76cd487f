"""Pictures of strangers are decoded in this process, one at a time, or refused."""

from __future__ import annotations

import weakref
from pathlib import Path

import pytest
from PIL import Image

from armillary.errors import ArmillaryError
from armillary.pictures import FILM, STILLS, frames_of, opened

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"


def gif(path: Path, side: int, count: int) -> Path:
    """A film whose pictures differ in a corner only: large, of few bytes."""
    pictures = [Image.new("P", (side, side), index % 2) for index in range(count)]
    for index, picture in enumerate(pictures):
        picture.putpalette([0, 0, 0, 255, 255, 255])
        picture.paste(index % 2, (0, 0, 2, 2))
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=40)
    return path


@pytest.mark.parametrize("formats", [FILM, STILLS])
def test_postscript_is_not_handed_to_ghostscript(
    formats: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "film.gif"
    path.write_bytes(POSTSCRIPT)
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *a, **k: pytest.fail("it ran"))
    with pytest.raises(ArmillaryError, match=r"film\.gif"), opened(path, formats) as image:
        image.load()


def test_frames_are_decoded_one_at_a_time(tmp_path: Path) -> None:
    path = gif(tmp_path / "film.gif", 100, 40)
    seen: list[weakref.ref[Image.Image]] = []
    for picture in frames_of(path):
        seen.append(weakref.ref(picture))
        assert sum(one() is not None for one in seen) <= 2
    assert len(seen) == 40


def test_a_film_that_asks_for_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("armillary.pictures._MOST_OF_FILM", 50_000)
    path = gif(tmp_path / "film.gif", 100, 6)
    with pytest.raises(ArmillaryError, match="more than 50000 pixels"):
        list(frames_of(path))
    monkeypatch.setattr("armillary.pictures._MOST", 9_999)
    with pytest.raises(ArmillaryError, match="more than 9999 pixels"), opened(path, FILM):
        pytest.fail("it was opened")


def test_a_picture_that_is_larger_than_its_film_is_refused(tmp_path: Path) -> None:
    path = gif(tmp_path / "film.gif", 50, 3)
    content = path.read_bytes()
    second = content.index(
        b"\x2c", content.index(b"\x2c") + 1
    )  # separator, left, top, width, height
    path.write_bytes(content[: second + 5] + b"\xff\xff" + content[second + 7 :])
    with pytest.raises(ArmillaryError, match=r"a picture of \(65535, 50\) pixels in a film of"):
        list(frames_of(path))


def test_a_film_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = gif(tmp_path / "film.gif", 50, 3)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 5):
        path.write_bytes(whole[:length])
        try:
            list(frames_of(path))
        except ArmillaryError:
            continue


def test_what_else_a_film_says_of_a_picture_is_left_out(tmp_path: Path) -> None:
    picture = Image.new("P", (8, 8))
    picture.save(tmp_path / "a.gif", transparency=0, duration=70, comment=b"x")
    (found,) = frames_of(tmp_path / "a.gif")
    assert found.info == {"duration": 70}
