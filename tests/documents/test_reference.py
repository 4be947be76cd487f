"""The reference covers the front door, and the site's menu has every page."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_public_name_is_in_the_reference() -> None:
    stub = (ROOT / "armillary" / "__init__.pyi").read_text(encoding="utf-8")
    homes = {
        name: home for home, name in re.findall(r"^from \.([\w.]+) import (\w+) as", stub, re.M)
    }
    pages = (ROOT / "docs" / "reference").glob("*.md")
    shown = {
        module
        for page in pages
        for module in re.findall(r"^::: armillary\.([\w.]+)$", page.read_text("utf-8"), re.M)
    }
    assert homes
    missing = {
        name: home
        for name, home in homes.items()
        if home not in shown and not any(module.startswith(f"{home}.") for module in shown)
    }
    assert not missing


def test_every_page_is_in_the_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    docs = ROOT / "docs"
    pages = [page.relative_to(docs).as_posix() for page in docs.rglob("*.md")]
    assert not [page for page in pages if not re.search(rf"[ :]{re.escape(page)}\n", menu)]
