"""Settings shared by all tests."""

import signal
import sys
import threading
from collections.abc import Generator, Iterator

import pytest
import torch
from gymnasium.envs import registration

from armillary import plugins
from armillary.kinds import KINDS

pytest.register_assert_rewrite("armillary.contracts")
torch.set_num_threads(1)
if threading.current_thread() is threading.main_thread():
    # A shell gives what it starts in the background, or with nohup, signals that are ignored.
    for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        if signal.getsignal(getattr(signal, name, signal.SIGINT)) == signal.SIG_IGN:
            signal.signal(getattr(signal, name), handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Reports go from worker to parent as Unicode; names of files in what was captured need not."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked ``cuda`` are skipped where there is no such device."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("cuda"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture
def plugins_apart(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is registered, loaded or made importable in a test is gone after it."""
    for kind in KINDS:
        plugins._import_built_in(kind)
    tables = {kind: dict(table) for kind, table in plugins._TABLES.items()}
    for name, value in (("_TABLES", tables), ("_LOADED", {}), ("_BROKEN", {})):
        monkeypatch.setattr(plugins, name, value)
    monkeypatch.setenv(plugins.VARIABLE, "")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(registration, "registry", dict(registration.registry))
    before = set(sys.modules)
    plugins._installed.cache_clear()
    yield
    plugins._installed.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith(("pack_", "my_")):
            del sys.modules[name]
