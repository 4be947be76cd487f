"""Prints the lowest version of everything that pyproject.toml allows, as pip takes it.

``python .ci/lowest.py`` leaves torch out, of which CI has one already; ``--torch`` does not.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

TOOLS = ("build", "ipykernel", "nbclient", "pre-commit", "pyright", "ruff")
"""Developers' programs, which no test imports."""
EXTRAS = ("bair", "cma", "distributed", "sweep", "dev")
_BOUND = re.compile(r"([\w-]+)>=([\d.]+)")


def lowest(project: dict[str, Any]) -> dict[str, str]:
    """The lowest versions by name; raises ValueError where there is no lower bound."""
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(one for extra in EXTRAS for one in extras[extra])]
    found = {}
    for one in wanted:
        match = _BOUND.match(one)
        if match:
            found[match[1]] = match[2]
        elif not one.startswith("armillary["):
            raise ValueError(f"{one} has no lower bound")
    return {name: version for name, version in found.items() if name not in TOOLS}


if __name__ == "__main__":
    text = Path(__file__).parents[1].joinpath("pyproject.toml").read_text("utf-8")
    versions = lowest(tomllib.loads(text)["project"])
    if "--torch" not in sys.argv[1:]:
        del versions["torch"]
    print(*(f"{name}=={version}" for name, version in versions.items()))
