"""Runs tests in a forked process, from a copy of the tree, with one module replaced."""

from __future__ import annotations

import ast
import importlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

_HEAVY = ("gymnasium", "h5py", "matplotlib", "numpy", "PIL", "pydantic", "pymunk", "safetensors")
_HEAVY += ("scipy.optimize", "scipy.linalg", "scipy.ndimage", "skimage.metrics", "torch", "cma")
_HEAVY += ("sklearn.metrics", "torch.utils._pytree", "torch._dynamo")
_MEMORY = 12 << 30


def warm_up() -> None:
    """Imports what every trial needs, but nothing of the tree under trial."""
    for name in _HEAVY:
        try:
            importlib.import_module(name)
        except ImportError:  # an optional one
            continue
    sys.modules["torch"].set_num_threads(1)


class _Replaced:
    """Finds one module's source elsewhere: in a tree of its syntax."""

    def __init__(self, name: str, tree: ast.Module) -> None:
        self.name, self.tree = name, tree

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name == self.name else None
        if spec is not None and spec.origin is not None:
            loader = spec.loader = SourceFileLoader(name, spec.origin)
            code = compile(self.tree, spec.origin, "exec")
            loader.get_code = lambda fullname: code  # pyright: ignore[reportAttributeAccessIssue]
        return spec


class _Chosen:
    """Runs the chosen tests only, in their order, and tells the first that fails."""

    def __init__(self, tests: list[str]) -> None:
        self.order = {test: place for place, test in enumerate(tests)}
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order),
            key=lambda item: self.order[item.nodeid],
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid


def run_mutant(
    root: Path, module: str, tree: ast.Module, tests: list[str], seconds: float
) -> tuple[str, str]:
    """What became of a mutant, and by which test.

    Returns:
        ``survived``, ``killed``, ``crashed`` or ``timeout``; the first test that failed, if any.
    """

    def work() -> tuple[int, str]:
        sys.meta_path.insert(0, _Replaced(module, tree))  # pyright: ignore[reportArgumentType]
        chosen = _Chosen(tests)
        files = sorted({test.split("::")[0] for test in tests})
        return run_pytest(["-x", *files], chosen), chosen.failed

    told = in_fork(root, work, seconds)
    if isinstance(told, str):
        return told, ""
    code, failed = told
    return ("killed" if code else "survived"), failed or ("imports" if code else "")


def run_pytest(arguments: Iterable[str], plugin: object) -> int:
    """Runs pytest in this process, without its cache."""
    arguments = ["-q", "-p", "no:cacheprovider", "--tb=no", *arguments]
    return int(pytest.main(arguments, plugins=[plugin]))


def in_fork(root: Path, work: Callable[[], Any], seconds: float) -> Any:
    """What ``work`` returns in a process of its own that runs in ``root``.

    Returns:
        What may be written as JSON; ``timeout`` or ``crashed`` where nothing came back.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            _enter(root)
            told = json.dumps(work())
            with os.fdopen(writing, "w") as pipe:
                pipe.write(told)
        finally:
            os._exit(0)
    os.close(writing)
    end, read = time.monotonic() + seconds, b""
    os.set_blocking(reading, False)
    state = "crashed"
    while True:
        try:
            piece = os.read(reading, 1 << 20)
        except BlockingIOError:
            if time.monotonic() > end:
                state = "timeout"
                break
            time.sleep(0.02)
            continue
        if not piece:
            break
        read += piece
    os.close(reading)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return json.loads(read) if read else state


def _enter(root: Path) -> None:
    os.setpgid(0, 0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    os.chdir(root)
    os.environ["PYTHONPATH"] = str(root)
    sys.path.insert(0, str(root))
    for name in [name for name in sys.modules if name.split(".")[0] in ("tests", "armillary")]:
        del sys.modules[name]
