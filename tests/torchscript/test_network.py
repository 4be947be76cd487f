"""Networks of others: what would crash this process ends another one."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from armillary.errors import ArmillaryError
from armillary.experiments.command.errors import UsageError
from armillary.torchscript import network, probe

CPU = torch.device("cpu")
CRASH = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
GREEDY = """
import torch, sys
from armillary.torchscript import probe
probe.bound(sys.argv[1], float(sys.argv[2]))
def load(path, map_location):
    return torch.zeros(1 << 34)
torch.jit.load = load
import json
print(json.dumps(probe.look(sys.argv[1])))
"""


class Twice(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "network.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Twice()).save(str(path))
    return path


def loaded(path: Path) -> torch.jit.ScriptModule:
    return network.load(path, CPU, "weights=x", "is no network", UsageError)


def test_a_network_computes_what_it_did(file: Path) -> None:
    assert loaded(file)(torch.ones(2)).tolist() == [2, 2]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (CRASH, r"weights=x: is no network \(.*damaged: reading what it says .* crashes"),
        (GREEDY, r"weights=x: is no network \(.*asks for more memory than its bytes justify"),
    ],
)
def test_a_file_that_ends_the_process_that_looks_at_it_is_refused(
    file: Path, script: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = file.with_name("looks.py")
    looks.write_text(script)
    monkeypatch.setattr(probe, "__file__", str(looks))
    root = str(Path(network.__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", root)
    with pytest.raises(UsageError, match=told):
        loaded(file)


def test_what_is_for_debugging_is_left_out(file: Path) -> None:
    """Torch reads it when an operation fails; after other errors damage in it ends the process."""
    with zipfile.ZipFile(file) as whole, zipfile.ZipFile(probe.undebugged(str(file))) as kept:
        names = [entry for entry in whole.namelist() if not entry.endswith(".debug_pkl")]
        assert kept.namelist() == names != whole.namelist()
        assert all(kept.read(name) == whole.read(name) for name in names)


def test_flipped_bits_are_refused(file: Path) -> None:
    content = file.read_bytes()
    with zipfile.ZipFile(file) as whole:
        data = next(whole.read(name) for name in whole.namelist() if name.endswith("data.pkl"))
    assert content.count(data) == 1
    file.write_bytes(content.replace(data, data[:-1] + bytes([data[-1] ^ 1])))
    with pytest.raises(UsageError, match="Bad CRC-32"):
        loaded(file)


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"no archive at all"])
def test_a_damaged_file_is_refused(file: Path, damage) -> None:
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ArmillaryError, match="weights=x: is no network"):
        loaded(file)
