"""Writes docs/licences.md: whose licence everything in requirements-dev.lock has.

``python .ci/licences.py`` in an environment that was installed from the lock; names, licences and
what needs what are read off the installed packages.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import metadata, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "licences.md"
ELSEWHERE = {"appnope": "BSD-2-Clause"}
"""Of what is installed on other systems only, macOS say."""
_WORDS = re.compile(r"(?!UNKNOWN)[\w .+-]{2,40}")
HEAD = """\
# Licences

Armillary is under the MIT licence. What it is installed with has licences of its own: here are
those of everything that `requirements-dev.lock` names, and of torch, as the packages declare them.
`with` says what brings a package: Armillary itself (`always`), or an extra, as in
`pip install 'armillary[bair]'`.

Two things to know before you pass an installation on:

- **crc32c** is under the LGPL. It comes with the extra `bair`, which reads TFRecords, and with
  nothing else (`dev`, for those who work on Armillary, includes `bair`).
- **torch** is installed from where you choose. Its builds for CUDA bring NVIDIA's libraries, which
  are under NVIDIA's own terms; builds for the CPU have none of them.

The page is made by `python .ci/licences.py`, in an environment that was installed from the lock,
as CONTRIBUTING.md says. A test holds that no package of the lock is missing here, and that what is
always installed is under permissive licences.

| package | licence | with |
|---|---|---|
"""


def licence_of(name: str) -> str:
    """What an installed package declares: an expression, a few words, or a classifier."""
    if name in ELSEWHERE:
        return ELSEWHERE[name]
    told = metadata(name)
    if told["License-Expression"]:
        return told["License-Expression"]
    if _WORDS.fullmatch(told["License"] or ""):
        return told["License"]
    found = [one for one in told.get_all("Classifier", []) if one.startswith("License ::")]
    return ", ".join(one.rpartition(" :: ")[2] for one in found)


def needed(wanted: Iterable[str]) -> set[str]:
    """The names of everything that some requirements need, themselves included."""
    left, seen = [Requirement(one) for one in wanted], set[tuple[str, str]]()
    while left:
        one = left.pop()
        for extra in ("", *one.extras):
            key = (canonicalize_name(one.name), extra)
            if key in seen or (one.marker and not one.marker.evaluate({"extra": ""})):
                continue
            seen.add(key)
            more = map(Requirement, requires(one.name) or () if key[0] not in ELSEWHERE else ())
            for other in more:
                if other.marker is None or other.marker.evaluate({"extra": extra}):
                    other.marker = None
                    left.append(other)
    return {name for name, _ in seen}


def brought_by(project: dict[str, Any]) -> dict[str, list[str]]:
    """What brings each package, by its name: ``always`` alone, or the extras that do."""
    always = needed(project["dependencies"])
    found = {name: ["always"] for name in always}
    for extra, wanted in sorted(project["optional-dependencies"].items()):
        own = [one for one in wanted if not one.startswith("armillary[")]
        for name in needed(own) - always:
            found.setdefault(name, []).append(extra)
    return found


if __name__ == "__main__":
    project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text("utf-8"))["project"]
    lock = ROOT.joinpath("requirements-dev.lock").read_text("utf-8")
    names = sorted({*re.findall(r"^(?:# )?([a-z0-9-]+)==", lock, re.MULTILINE)})
    whose = brought_by(project)
    rows = [f"| {n} | {licence_of(n)} | {', '.join(whose.get(n, ['dev']))} |" for n in names]
    PAGE.write_text(HEAD + "\n".join(rows) + "\n", "utf-8")
