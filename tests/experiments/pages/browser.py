"""Opens a page in headless Chromium and tells what happened there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason=f"needs one of {', '.join(NAMES)}")

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
    "--v=0",
    "--window-size=1500,1000",
]
_LOOK = """
addEventListener("load", () => {
  const frame = document.querySelector("iframe");
  const page = frame.contentDocument, view = frame.contentWindow;
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d", {willReadFrequently: true});
  const decodes = image => {
    if (!image.complete || image.naturalWidth === 0) return false;
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    pen.drawImage(image, 0, 0);
    return pen.getImageData(canvas.width >> 1, canvas.height >> 1, 1, 1).data[3] > 0;
  };
  document.body.dataset.seen = JSON.stringify({
    images: page.images.length,
    decoded: [...page.images].filter(decodes).length,
    fetched: view.performance.getEntriesByType("resource").map(e => e.name)
      .filter(name => !name.startsWith("data:")),
    overflow: page.documentElement.scrollWidth - page.documentElement.clientWidth,
    background: view.getComputedStyle(page.body).backgroundColor,
    ink: view.getComputedStyle(page.body).color,
  });
});
"""
"""All at once when everything is loaded: the browser ends right after."""


@dataclass(frozen=True)
class Seen:
    """A page in the browser.

    Attributes:
        images: how many it has.
        decoded: how many of them could be drawn.
        fetched: addresses that it asked for, but for those that hold their content.
        overflow: pixels by which it is wider than the window.
        background: colour of the page.
        ink: colour of its text.
        console: what the browser complained of.
    """

    images: int
    decoded: int
    fetched: list[str]
    overflow: int
    background: str
    ink: str
    console: list[str]


def open_page(html: str, folder: Path, *, width: int, dark: bool = False) -> Seen:
    """Opens a page, unchanged, in a frame of this width; what it tells comes from outside it."""
    outer = folder / "outer.html"
    frame = f'<iframe style="width:{width}px;height:900px" srcdoc="{escape(html)}"></iframe>'
    text = f"<!DOCTYPE html><meta charset=utf-8><body>{frame}<script>{_LOOK}</script></body>"
    outer.write_text(text, encoding="utf-8")
    command = [
        str(CHROMIUM),
        *FLAGS,
        f"--user-data-dir={folder / 'profile'}",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--dump-dom",
        outer.as_uri(),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=90)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    told = re.search(r'data-seen="(.*?)"', done.stdout)
    assert told, f"the page did not load: {done.stderr[-2000:]}"
    return Seen(**json.loads(unescape(told[1])), console=console)
