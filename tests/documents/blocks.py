"""Reads the fenced code blocks of a Markdown page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)(?: +title=\"(?P<title>[^\"]+)\")? *$")


_LOOP = re.compile(r"^for (?P<name>\w+) in (?P<first>\S+)[^;]*; do$")


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        language: as the fence names it, empty where it names none.
        title: of the file that it shows, empty where it is no file.
        code: its text.
        line: of the page where it starts, from 1.
    """

    language: str
    title: str
    code: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page in their order."""
    found: list[Block] = []
    start: re.Match[str] | None = None
    lines: list[str] = []
    first = 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if start is None:
            start = _FENCE.match(line)
            lines, first = [], number
        elif line.strip() == "```":
            code = "\n".join(one[len(start["indent"]) :] for one in lines) + "\n"
            found.append(Block(start["language"], start["title"] or "", code, first))
            start = None
        else:
            lines.append(line)
    assert start is None, f"{page}:{first}: the block has no end"
    return found


def commands_of(block: Block) -> list[str]:
    """The commands of a shell block: continued lines joined, comments left out.

    Of a loop the first pass stands for all.
    """
    text = re.sub(r" *\\\n *", " ", block.code)
    lines = [re.sub(r"(^|\s)#.*$", "", line).strip() for line in text.splitlines()]
    found: list[str] = []
    loop: re.Match[str] | None = None
    for line in lines:
        if start := _LOOP.match(line):
            loop = start
        elif line == "done":
            loop = None
        elif line:
            name, value = (loop["name"], loop["first"]) if loop else ("", "")
            found.append(re.sub(rf"\$\{{?{name}\b\}}?", value, line) if loop else line)
    return found


def indented_commands(page: Path) -> list[int]:
    """The lines that show a command as an indented block, which nothing would test."""
    found, fenced = [], False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        if not fenced and re.match(r"^    (armillary|python|pip|make|import|from) ", line):
            found.append(number)
    return found
