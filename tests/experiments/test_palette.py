"""Colours have one home."""

from __future__ import annotations

import re
from pathlib import Path

from armillary.experiments import palette

ROOT = Path(__file__).parents[2] / "experiments"
_COLOR = re.compile(r"#[0-9a-fA-F]{6}\b|: Color = \(|\(2\d\d, \d+, \d+\)")
_PAGES = ROOT / "pages"
"""Whose style sheets have colours for the light and for the dark."""


def test_colours_are_written_as_css_does() -> None:
    assert palette.hexadecimal(palette.VERMILION) == "#d55e00"
    assert palette.hexadecimal(palette.BLACK) == "#000000"


def test_slots_can_be_told_apart() -> None:
    assert len(set(palette.SLOTS)) == len(palette.SLOTS) == 7


def test_nobody_else_writes_colours() -> None:
    others = [path for path in ROOT.rglob("*.py") if _PAGES not in path.parents]
    found = {path.name for path in others if _COLOR.search(path.read_text(encoding="utf-8"))}
    assert found == {"palette.py"}
