"""Folders of proposals: what was written is read, and nothing else."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.errors import ArmillaryError
from armillary.planners.proposals.stored import ABOUT, TENSORS, ProposalsError, Stored, load


def test_what_was_saved_is_loaded(stored: Stored) -> None:
    for place in (stored.path, stored.path.parent):  # the folder, or the run that made it
        found = load(str(place))
        assert (found.identity, found.about) == (stored.identity, stored.about)
        assert not found.network.training
        for name, tensor in stored.network.state_dict().items():
            assert torch.equal(tensor, found.network.state_dict()[name]), name
        assert_close(found.recorded.slots, stored.recorded.slots, atol=2e-3, rtol=1e-3)
        assert_close(found.recorded.actions, stored.recorded.actions, atol=2e-3, rtol=1e-3)
        assert torch.equal(found.recorded.objects, stored.recorded.objects)


def test_loading_draws_no_random_number(stored: Stored) -> None:
    before = torch.get_rng_state()
    load(str(stored.path))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def folder(stored: Stored, tmp_path: Path) -> Path:
    return shutil.copytree(stored.path, tmp_path / "copy")


def edit(folder: Path, tensors: dict[str, Tensor] | None = None, **about: Any) -> None:
    """Changes entries of the description and tensors; the digest is that of the new ones."""
    content = json.loads((folder / ABOUT).read_text())
    if tensors is not None:
        known = safetensors.torch.load((folder / TENSORS).read_bytes()) | tensors
        payload = safetensors.torch.save(known)
        (folder / TENSORS).write_bytes(payload)
        content["sha256"] = sha256(payload).hexdigest()
    (folder / ABOUT).write_text(json.dumps(content | about))


NETWORK = {"slot_size": 3, "action_size": 3, "horizon": 20, "guesses": 16}
NETWORK |= {"width": 96, "layers": 2, "heads": 4}


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"format": "other"}, "of format 'other' version 1"),
        ({"format_version": 2}, "version 2; this version of Armillary reads"),
        ({"sha256": "0"}, "is damaged .*not those that proposals.json names"),
        ({"network": {**NETWORK, "horizon": 10**9}}, r"numbers must be in 1\.\.4096"),
        ({"network": {**NETWORK, "layers": 4000}}, "tensors for 4000 layers"),
        ({"network": {**NETWORK, "guesses": 15}}, "'head.3.bias': the model wants"),
        ({"network": {**NETWORK, "heads": 7}}, "is damaged"),
        ({"network": {"horizon": "x"}}, "is damaged"),
        ({"network": None}, "is damaged"),
        ({"about": 3}, "is damaged"),
    ],
)
def test_another_description_is_refused(folder: Path, about: dict[str, Any], message: str) -> None:
    edit(folder, **about)
    with pytest.raises(ProposalsError, match=message):
        load(str(folder))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (
            {"recorded.slots": torch.full((30, 25, 1, 3), torch.nan)},
            "NaN or infinite numbers in recorded.slots",
        ),
        ({"recorded.slots": torch.zeros(30, 25, 1, 4)}, r"slots must be \(30, 25, 1, 3\)"),
        ({"recorded.slots": torch.zeros(30, 25)}, "is damaged"),
        ({"recorded.actions": torch.zeros(30, 23, 3)}, r"actions must be \(30, 24, 3\)"),
        ({"recorded.objects": torch.zeros(29, 1)}, r"objects must be \(30, 1\)"),
        ({"network.low": torch.zeros(2)}, "'low': the model wants"),
        ({"network.more": torch.zeros(2)}, "'more': the model wants nothing"),
        (
            {"recorded.slots": torch.zeros(0, 25, 1, 3), "recorded.actions": torch.zeros(0, 24, 3)},
            "must hold at least one action",
        ),
    ],
)
def test_other_tensors_are_refused(folder: Path, tensors: dict[str, Tensor], message: str) -> None:
    edit(folder, tensors)
    with pytest.raises(ProposalsError, match=message):
        load(str(folder))


def test_a_damaged_or_missing_file_is_told(folder: Path) -> None:
    (folder / TENSORS).write_bytes((folder / TENSORS).read_bytes()[:-9])
    with pytest.raises(ProposalsError, match="is damaged"):
        load(str(folder))
    (folder / TENSORS).unlink()
    with pytest.raises(ProposalsError, match="No such file"):
        load(str(folder))
    (folder / ABOUT).write_text("{")
    with pytest.raises(ProposalsError, match="cannot be read as JSON"):
        load(str(folder))
    (folder / ABOUT).unlink()
    with pytest.raises(ArmillaryError, match="no proposals are found"):
        load(str(folder))
