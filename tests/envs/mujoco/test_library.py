"""MuJoCo is imported when a world needs it, and what to do without it is said."""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import SimpleNamespace

import pytest

from armillary.envs.mujoco.library import mujoco
from armillary.errors import ArmillaryError

NEEDS_NONE = """
import sys
import gymnasium
import armillary.envs.stack_blocks.environment as world
world.StackBlocksEnv()
sys.exit("mujoco" in sys.modules)
"""


def test_worlds_are_made_without_it() -> None:
    assert subprocess.run([sys.executable, "-c", NEEDS_NONE], check=False).returncode == 0


@pytest.mark.parametrize("error", [ImportError("No module named 'mujoco'"), OSError("libm.so")])
def test_a_library_that_cannot_be_loaded_is_told_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(name: str) -> None:
        raise error

    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(ArmillaryError, match=r"pip install 'mujoco>=3.5'") as told:
        mujoco()
    assert str(error) in str(told.value)


@pytest.mark.parametrize("version", ["3.4.9", "2.3.7"])
def test_an_old_library_is_refused(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    old = SimpleNamespace(__version__=version)
    monkeypatch.setattr(importlib, "import_module", lambda name: old)
    with pytest.raises(ArmillaryError, match=f"3.5 or later, got {version}"):
        mujoco()
