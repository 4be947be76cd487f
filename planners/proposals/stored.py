"""What proposals are made from, in a folder: a description and tensors; no code is run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.files import write_bytes
from armillary.planners.proposals.network import InverseDynamics
from armillary.planners.proposals.recorded import Recorded
from armillary.reading import read_json, reading
from armillary.suggestions import listed
from armillary.world_models.checkpoints.locate import (
    BUNDLED_ROOT,
    bundled_checkpoints,
    find_checkpoint,
)
from armillary.world_models.checkpoints.weights import differences

FORMAT, VERSION = "armillary-proposals", 1
FOLDER, ABOUT, TENSORS = "proposals", "proposals.json", "proposals.safetensors"
BUNDLED = "pretrained/push_blocks"

_NETWORK = ("slot_size", "action_size", "horizon", "guesses", "width", "layers", "heads")
_LARGEST = 1 << 12
"""Of every number that the network is made from."""
_RECORDED = ("slots", "actions", "objects", "effector")


class ProposalsError(ArmillaryError):
    """A folder of proposals is missing, damaged, or not what this version can use."""


@dataclass(frozen=True)
class Stored:
    """What is in such a folder.

    Attributes:
        path: of it.
        identity: of the simulator whose slots they are.
        network: in evaluation mode.
        recorded: episodes.
        about: what else is to be known, JSON-able.
    """

    path: Path
    identity: str
    network: InverseDynamics
    recorded: Recorded
    about: Mapping[str, Any]

    def to(self, device: torch.device) -> Stored:
        """Moves it.

        The network becomes one of double precision, where the device has that: its guesses then do
        not depend on who shares their batch, but for bits that no action shows.
        """
        kind = torch.float32 if device.type == "mps" else torch.float64
        recorded = self.recorded.map(lambda tensor: tensor.to(device))
        return replace(self, network=self.network.to(device, kind), recorded=recorded)


def save(stored: Stored) -> Path:
    """Writes ``stored.path`` and returns it; killed before its end it leaves nothing that loads."""
    network, recorded = stored.network, stored.recorded
    tensors = {
        f"network.{n}": t.detach().cpu().contiguous() for n, t in network.state_dict().items()
    }
    for name in _RECORDED:
        tensors[f"recorded.{name}"] = getattr(recorded, name).half().cpu().contiguous()
    payload = safetensors.torch.save(tensors)
    about = {
        "format": FORMAT,
        "format_version": VERSION,
        "identity": stored.identity,
        "network": network.settings,
        "about": dict(stored.about),
        "sha256": sha256(payload).hexdigest(),
    }
    stored.path.mkdir(parents=True, exist_ok=True)
    write_bytes(stored.path / TENSORS, payload)
    write_bytes(stored.path / ABOUT, (json.dumps(about, indent=2, allow_nan=False) + "\n").encode())
    return stored.path


def load(source: str) -> Stored:
    """Reads the proposals of a run of ``train-proposals``, of a folder in it, or the bundled ones.

    Raises:
        ProposalsError: there are none, they are damaged, or of another version.
    """
    path = find(source)
    about = read_json(path / ABOUT, ProposalsError)
    found = (about.get("format"), about.get("format_version"))
    if found != (FORMAT, VERSION):
        raise ProposalsError(
            f"{path / ABOUT} is of format {found[0]!r} version {found[1]!r}; this version of "
            f"Armillary reads {FORMAT!r} version {VERSION}"
        )
    with reading(path / TENSORS, "is damaged", ProposalsError, SafetensorError):
        payload = (path / TENSORS).read_bytes()
        if sha256(payload).hexdigest() != about.get("sha256"):
            raise ValueError(f"its bytes are not those that {ABOUT} names by SHA-256")
        held = safetensors.torch.load(payload)
        tensors = {name: tensor.float() for name, tensor in held.items()}
        broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
        if broken:
            raise ValueError(f"NaN or infinite numbers in {listed(broken)}")
    with reading(path / ABOUT, "is damaged", ProposalsError):
        recorded = Recorded(*(tensors.pop(f"recorded.{name}") for name in _RECORDED))
        network = _network(about["network"], tensors)
        _check_together(network, recorded)
        return Stored(path, str(about["identity"]), network, recorded, dict(about["about"]))


def effector_of(source: str) -> str | None:
    """What they took for the effector, as ``train-proposals effector=`` says; None: not recorded.

    Raises:
        ProposalsError: there are none, or they are damaged.
    """
    about = find(source) / ABOUT
    with reading(about, "is damaged", ProposalsError):
        found = read_json(about, ProposalsError)["about"].get("settings", {}).get("effector")
        return None if found is None else str(found)


def beside(checkpoint: str) -> Path:
    """The folder of the proposals that lie beside a checkpoint's weights, or in its run.

    Raises:
        CheckpointError: there is no such checkpoint.
        ProposalsError: there are none.
    """
    for place in (find_checkpoint(checkpoint), Path(checkpoint).expanduser()):
        if (place / FOLDER / ABOUT).is_file():
            return place / FOLDER
    raise ProposalsError(
        f"no proposals lie beside {checkpoint}; armillary train-proposals checkpoint={checkpoint} "
        "data.path=FILE output=DIR makes some, and planner.proposals_from=DIR takes them"
    )


def find(source: str) -> Path:
    """The folder of proposals that a run, a folder or a bundled name stands for.

    Raises:
        ProposalsError: there is none.
    """
    given = Path(source).expanduser()
    places = [given, given / FOLDER]
    if source in bundled_checkpoints():
        places = [BUNDLED_ROOT.parent / source / FOLDER]
    for place in places:
        if (place / ABOUT).is_file():
            return place
    raise ProposalsError(
        f"no proposals are found in {source!r}; armillary train-proposals checkpoint=RUN "
        "data.path=FILE output=DIR makes them, and planner.proposals_from=DIR takes them"
    )


def _network(settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> InverseDynamics:
    """A network that the tensors fit, of which no number is drawn."""
    sizes = {name: int(settings[name]) for name in _NETWORK}
    if not all(1 <= size <= _LARGEST for size in sizes.values()):
        raise ValueError(f"the network's numbers must be in 1..{_LARGEST}, got {sizes}")
    weights = {name.removeprefix("network."): tensor for name, tensor in tensors.items()}
    if sizes["layers"] > len(weights):
        raise ValueError(f"there are {len(weights)} tensors for {sizes['layers']} layers")
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        network = InverseDynamics(**sizes)
    wrong = differences(weights, network.state_dict())
    if wrong:
        raise ValueError("; ".join(wrong[:3]))
    network.load_state_dict(weights, assign=True)
    return network.requires_grad_(False).eval()


def _check_together(network: InverseDynamics, recorded: Recorded) -> None:
    episodes, frames, slots = recorded.slots.shape[:3]
    shapes = {
        "slots": (episodes, frames, slots, network.slot_size),
        "actions": (episodes, frames - 1, network.action_size),
        "objects": (episodes, slots),
        "effector": (episodes, slots),
    }
    for name, shape in shapes.items():
        if getattr(recorded, name).shape != shape:
            raise ValueError(f"{name} must be {shape}, got {tuple(getattr(recorded, name).shape)}")
