"""Writes requirements-dev.lock, the versions and hashes of a developer's environment.

``uvx --from uv python .ci/lock.py``, or with any Python beside the program ``uv``. Torch is named,
but not locked: its builds for CPU and CUDA have other hashes, and what they compute with is theirs.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements-dev.lock"
COMMAND = (
    *("uv", "pip", "compile", "pyproject.toml", "--extra", "dev", "--universal"),
    *("--python-version", "3.11", "--generate-hashes", "--no-annotate", "--no-header", "--quiet"),
)
OF_TORCH = ("cuda-", "nvidia-", "triton")
"""How the names of what only builds of torch need begin."""
HEAD = """\
# What .ci/lock.py found that goes together; CONTRIBUTING.md says how to install it.
# Install first, in the build for your machine, what has other hashes for each:
# {torch}
"""


def locked(found: str) -> str:
    """The lock, from what uv found: one requirement after the other."""
    requirements = re.split(r"^(?=\w)", found, flags=re.MULTILINE)
    torch = next(one for one in requirements if one.startswith("torch=="))
    kept = (one for one in requirements if one != torch and not one.startswith(OF_TORCH))
    return HEAD.format(torch=torch.split()[0]) + "".join(kept)


if __name__ == "__main__":
    ended = subprocess.run(COMMAND, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    LOCK.write_text(locked(ended.stdout), "utf-8")
