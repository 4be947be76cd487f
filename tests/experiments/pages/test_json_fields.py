"""What is missing or wrong in a JSON file is named with its file and its key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from armillary.experiments.pages.json_fields import Fields, read_fields

CONTENT = {"a": {"b": [1, None, "x"]}, "n": float("nan"), "t": True, "p": [1.0, 2.0]}


@pytest.fixture
def fields() -> Fields:
    return Fields(CONTENT, Path("f.json"))


def test_values_are_found_by_key(fields: Fields) -> None:
    one, nothing, text = fields["a"]["b"].items()
    assert (one.number(), one.count(), one.optional()) == (1.0, 1, 1.0)
    assert nothing.empty
    assert nothing.optional() is None
    assert text.text() == "x"
    assert fields["p"].pair() == (1.0, 2.0)
    assert fields.get("missing").empty


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (lambda f: f["c"], "f.json has no 'c'; it has a, n, t, p"),
        (lambda f: f["a"]["c"], "f.json: a has no 'c'; it has b"),
        (lambda f: f["a"]["b"]["c"], r"f.json: a.b must be a dictionary, got \[1, null"),
        (lambda f: list(f["a"].items()), "f.json: a must be a list"),
        (lambda f: f["n"].number(), "f.json: n must be a finite number, got NaN"),
        (lambda f: f["t"].number(), "f.json: t must be a number, got true"),
        (lambda f: f["t"].count(), "f.json: t must be a whole number"),
        (lambda f: f["a"].text(), "f.json: a must be a text"),
        (lambda f: f["a"]["b"].pair(), "f.json: a.b.2 must be a number"),
        (lambda f: Fields([2, 1], Path("g"), "k").pair(), r"g: k must be .* low <= high"),
        (lambda f: Fields([2], Path("g"), "k").pair(), r"g: k must be an interval"),
    ],
)
def test_what_is_wrong_is_named(
    fields: Fields, read: Callable[[Fields], object], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        read(fields)


@pytest.mark.parametrize("text", ["{", "", "\xff\xfe", "nonsense"])
def test_a_file_that_is_no_json_is_damaged(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"results\.json is damaged"):
        read_fields(path)


def test_a_missing_file_is_told_with_its_directory(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"{tmp_path} has no results\.json"):
        read_fields(tmp_path / "results.json")
