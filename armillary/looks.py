"""Looks at strangers' files in a process of its own: damage may end or hold that one, not ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from armillary.errors import ArmillaryError, RunError

_PATIENCE = 120.0
"""Seconds by the clock that a look may take, on slow storage."""


def look(script: str, path: Path, seconds: float, kind: type[ArmillaryError]) -> dict[str, Any]:
    """What a script says of a file.

    Args:
        script: run by Python with the path and the seconds; prints JSON, and bounds itself.
        path: of the file.
        seconds: of the processor that the look may take.
        kind: of the error; constructed from the path and the message.

    Raises:
        ArmillaryError: of the ``kind``: the process crashed, or did not end.
        RunError: no process could be started, or the script failed.
    """
    words = [sys.executable, "-P", script, str(path), str(seconds)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    try:
        ended = subprocess.run(
            words, capture_output=True, timeout=_PATIENCE, env=environment, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise kind(path, f"the file could not be read in {_PATIENCE:g} seconds") from error
    except OSError as error:
        raise RunError(f"{path}: no process could be started to look at it: {error}") from error
    if ended.returncode < 0:
        raise kind(
            path,
            "the file is damaged: reading what it says of itself crashes or never ends; get or "
            "make it again",
        )
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise RunError(f"{path}: the process that looks at the file failed: {' '.join(said)}")
    return json.loads(ended.stdout)
