"""Every recorded fixture is met, and a fixture that is not met is told."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.parity.__main__ import main
from tests.parity.runner import run

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.npz"))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_ours_equals_the_recorded_run(path: Path) -> None:
    checks = run(path)
    assert checks
    assert not [check for check in checks if not check.passed]


def test_there_are_fixtures_of_every_kind() -> None:
    kinds = {path.stem.split("_")[0] for path in FIXTURES}
    assert kinds == {"metrics", "op3", "sdvae", "ssm", "traj", "v32", "x"}


def altered(path: Path, key: str, out: Path) -> Path:
    """The fixture with one array multiplied by 1.001."""
    with np.load(path) as arrays:
        content = {name: arrays[name] for name in arrays.files}
    content[key] = content[key] * np.float32(1.001)
    np.savez(out, **content)
    return out


@pytest.mark.parametrize("key", ["out/x_means/3", "grad/lamda_0", "noise/005", "param/lamda_0"])
def test_a_difference_of_a_thousandth_fails(key: str, tmp_path: Path) -> None:
    path = next(path for path in FIXTURES if path.stem == "x_ours_train_IIBMSD_B1")
    checks = run(altered(path, key, tmp_path / "altered.npz"))
    assert [check for check in checks if not check.passed]


def test_the_command_tells_by_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = next(path for path in FIXTURES if path.stem == "x_ours_train_IIBMSD_B1")
    bad = altered(good, "out/nll", tmp_path / "bad.npz")
    monkeypatch.setattr(sys, "argv", ["parity", str(good)])
    assert main() == 0
    assert capsys.readouterr().out.strip().splitlines()[-1].endswith("comparisons, 0 failed")
    monkeypatch.setattr(sys, "argv", ["parity", str(good), str(bad)])
    assert main() == 1
    assert "FAILED  bad.npz out/nll" in capsys.readouterr().out
