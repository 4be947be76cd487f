"""A section of the report: what an evaluation found in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from armillary.plugins import register


@register("section", "example_plugin")
def summary(directory: Path, verb: str, results: Mapping[str, Any]) -> str | None:
    """The sentence; None for runs of another verb."""
    if verb != "evaluate":
        return None
    return (
        f"{results['model']} imagined {results['videos']} videos, {results['rollouts']} times each."
    )
