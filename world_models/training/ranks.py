"""A process's place among those that share a run; asked before torch is loaded."""

from __future__ import annotations

import os

RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")
"""Environment variables that tell a process its place; torchrun, Slurm or Fabric set some."""


def follows() -> bool:
    """Whether the environment says that this process is not the first of those that share a run."""
    return any(int(os.environ.get(name) or 0) > 0 for name in RANKS)
