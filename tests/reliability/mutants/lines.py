"""Which test runs which lines, and in what time: a plugin of pytest that watches them run."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType

import pytest


class Watch:
    """Remembers of every test that passed what it ran.

    Args:
        root: of the tree.
        sources: paths below it that matter.

    Attributes:
        tests: by node id: seconds, and the lines of each source.
    """

    def __init__(self, root: Path, sources: list[str]) -> None:
        self.tests: dict[str, tuple[float, dict[str, list[int]]]] = {}
        self._names = {str((root / source).resolve()): source for source in sources}
        self._of_code: dict[CodeType, str | None] = {}
        self._seen: dict[str, set[int]] = {}
        self._failed = False

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Watches one test with its fixtures."""
        self._seen, self._failed, started = {}, False, time.perf_counter()
        threading.settrace(self._enter)
        sys.settrace(self._enter)
        yield
        sys.settrace(None)
        threading.settrace(None)  # pyright: ignore[reportArgumentType]
        if not self._failed:
            lines = {name: sorted(seen) for name, seen in self._seen.items()}
            self.tests[item.nodeid] = time.perf_counter() - started, lines

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that does not pass can kill nothing."""
        self._failed |= not report.passed

    def _enter(self, frame: FrameType, event: str, arg: object):
        code = frame.f_code
        if code not in self._of_code:
            self._of_code[code] = self._names.get(str(Path(code.co_filename).resolve()))
        name = self._of_code[code]
        if name is None:
            return None
        seen = self._seen.setdefault(name, set())
        seen.add(frame.f_lineno)

        def line(frame: FrameType, event: str, arg: object):
            seen.add(frame.f_lineno)
            return line

        return line
