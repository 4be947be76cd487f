"""The record of a campaign: a JSON file that it goes on with, and a table by reader."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from armillary.files import write_json
from tests.reliability.fuzz.campaign import Chunk, Result

_MOST = 5
"""Indices that are kept of cases with the same finding."""


@dataclass
class Record:
    """What is kept of a campaign.

    Attributes:
        identity: of it; another one cannot go on with the file.
        done: the names of chunks that were run.
        readers: counts and findings by reader.
    """

    identity: dict[str, Any]
    done: list[str] = field(default_factory=list)
    readers: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def at(cls, path: Path, identity: dict[str, Any]) -> Record:
        """The record to go on with, or a new one.

        Raises:
            SystemExit: the file is of another campaign.
        """
        if not path.is_file():
            return cls(identity)
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["identity"] != identity:
            raise SystemExit(f"{path} is of another campaign: {content['identity']}")
        return cls(identity, content["done"], content["readers"])

    def add(self, chunk: Chunk, result: Result) -> None:
        """Counts a chunk."""
        self.done.append(chunk.name)
        kept = self.readers.setdefault(
            chunk.reader.name,
            {"cases": 0, "accepted": 0, "refused": 0, "seconds": 0.0, "findings": {}},
        )
        kept["cases"] += chunk.stop - chunk.start
        kept["accepted"] += result.accepted
        kept["refused"] += result.refused
        kept["seconds"] += result.seconds
        for index, finding in result.findings:
            known = kept["findings"].setdefault(
                finding.place, {"kind": finding.kind, "count": 0, "cases": [], "told": finding.told}
            )
            known["count"] += 1
            known["cases"] = [*known["cases"], index][:_MOST]

    def write(self, path: Path) -> None:
        """Keeps it."""
        content = {"identity": self.identity, "readers": self.readers, "done": self.done}
        write_json(path, content)

    @property
    def findings(self) -> int:
        """Cases that ended as none may."""
        return sum(
            found["count"] for kept in self.readers.values() for found in kept["findings"].values()
        )

    def table(self) -> str:
        """Counts by reader, as Markdown."""
        names = ("cases", "accepted", "refused")
        rows = [["reader", *names, "findings"]]
        for name, kept in sorted(self.readers.items()):
            found = sum(finding["count"] for finding in kept["findings"].values())
            rows.append([f"`{name}`", *(f"{kept[n]:,}" for n in names), f"{found:,}"])
        totals = [sum(kept[name] for kept in self.readers.values()) for name in names]
        rows.append(["all", *(f"{total:,}" for total in totals), f"{self.findings:,}"])
        return _markdown(rows)


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|---|" + "---:|" * (len(rows[0]) - 1), *body])
