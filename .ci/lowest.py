"""Makes an environment with the lowest version of everything that pyproject.toml allows.

``python .ci/lowest.py FOLDER``: torch, which is large, and what those versions need themselves are
borrowed from the environment that runs this. Exit code 3 says that the packages cannot be had here,
1 that the bounds contradict each other or name no version.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
UNAVAILABLE = 3
_WRONG = re.compile(r"ResolutionImpossible|from versions: (?!none)")
"""What pip says of versions that do not go together, or that there are not."""
_BOUND = re.compile(r"([\w-]+(?:\[[\w,]+\])?)>=([\d.]+)(?:,<[\d.]+)?")


def lowest(project: dict[str, Any]) -> dict[str, str]:
    """The lowest version of every dependency by its name, extras and those to build included.

    Raises:
        ValueError: one has no lower bound.
    """
    extras = project["project"]["optional-dependencies"].values()
    wanted = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(one for extra in extras for one in extra if not one.startswith("armillary[")),
    ]
    bounds = {one: _BOUND.fullmatch(one) for one in wanted}
    missing = [one for one, bound in bounds.items() if bound is None]
    if missing:
        raise ValueError(f"dependencies without a lower bound: {', '.join(missing)}")
    return {bound[1]: bound[2] for bound in bounds.values() if bound}


def make(folder: Path, versions: dict[str, str]) -> int:
    """Makes the environment; returns an exit code."""
    venv.create(folder, with_pip=True)
    theirs = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    theirs.joinpath("zz_borrowed.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    wanted = [f"{name}=={one}" for name, one in {**versions, "torch": version("torch")}.items()]
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-compile"]
    ended = subprocess.run([*command, *wanted], stderr=subprocess.PIPE, text=True)
    if not ended.returncode:
        return 0
    for line in ended.stderr.splitlines():
        if line.startswith("ERROR"):
            print(f"{line[:200]} ... {line[-100:]}" if len(line) > 300 else line, file=sys.stderr)
    return 1 if _WRONG.search(ended.stderr) else UNAVAILABLE


if __name__ == "__main__":
    text = ROOT.joinpath("pyproject.toml").read_text("utf-8")
    sys.exit(make(Path(sys.argv[1]), lowest(tomllib.loads(text))))
