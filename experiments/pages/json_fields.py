"""Reads a JSON file whose content may be anything: what is missing or wrong is named."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from armillary.experiments.command.errors import UsageError
from armillary.suggestions import listed


@dataclass(frozen=True)
class Fields:
    """A value somewhere in a file; every method raises UsageError unless the value suits it.

    Attributes:
        value: as ``json`` returned it.
        file: where it stands.
        key: the dotted key, empty for the whole file.
    """

    value: Any
    file: Path
    key: str = ""

    def __getitem__(self, name: str) -> Fields:
        """The value of a key, which must exist."""
        content = self.table()
        if name not in content:
            raise UsageError(f"{self.place} has no {name!r}; it has {listed(content, 'nothing')}")
        return content[name]

    @property
    def place(self) -> str:
        """For messages."""
        return f"{self.file}: {self.key}" if self.key else str(self.file)

    @property
    def empty(self) -> bool:
        """Whether it is null."""
        return self.value is None

    def get(self, name: str) -> Fields:
        """The value of a key, null if there is no such key."""
        return self.table().get(name, Fields(None, self.file, self._below(name)))

    def table(self) -> dict[str, Fields]:
        """The entries of a dictionary."""
        if not isinstance(self.value, dict):
            raise self._wrong("a dictionary")
        return {k: Fields(v, self.file, self._below(k)) for k, v in self.value.items()}

    def items(self) -> Iterator[Fields]:
        """The items of a list."""
        if not isinstance(self.value, list):
            raise self._wrong("a list")
        for index, item in enumerate(self.value):
            yield Fields(item, self.file, self._below(str(index)))

    def text(self) -> str:
        """A text; numbers and the like as they are written."""
        if isinstance(self.value, dict | list) or self.value is None:
            raise self._wrong("a text")
        return str(self.value)

    def count(self) -> int:
        """A whole number of at least 0."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or self.value < 0:
            raise self._wrong("a whole number of at least 0")
        return self.value

    def number(self) -> float:
        """A finite number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise self._wrong("a number")
        if not math.isfinite(self.value):
            raise self._wrong("a finite number")
        return float(self.value)

    def optional(self) -> float | None:
        """A finite number, or ``None`` for null."""
        return None if self.empty else self.number()

    def pair(self) -> tuple[float, float] | None:
        """An interval [low, high], or ``None`` for null or an interval of nulls."""
        if self.empty:
            return None
        edges = [item.optional() for item in self.items()]
        if len(edges) != 2:
            raise self._wrong("an interval [low, high]")
        low, high = edges
        if low is None or high is None:
            return None
        if low > high:
            raise self._wrong("an interval [low, high] with low <= high")
        return low, high

    def _below(self, name: str) -> str:
        return f"{self.key}.{name}" if self.key else name

    def _wrong(self, wanted: str) -> UsageError:
        shown = json.dumps(self.value)
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        return UsageError(f"{self.place} must be {wanted}, got {shown}")


def read_fields(path: Path) -> Fields:
    """The content of a JSON file.

    Raises:
        UsageError: there is no such file, or it is no JSON.
    """
    try:
        return Fields(json.loads(path.read_text(encoding="utf-8")), path)
    except FileNotFoundError:
        raise UsageError(f"{path.parent} has no {path.name}") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is damaged: it cannot be read as JSON ({error})") from error
