"""Checkpoints: their description, weights and training state, and files of the authors' code."""

from __future__ import annotations

import copy
import io
import json
import tempfile
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import torch

from armillary.experiments.command.errors import UsageError
from armillary.world_models.checkpoints import pickled
from armillary.world_models.checkpoints.authors import _SLOT_MODELS, import_model
from armillary.world_models.checkpoints.checkpoint import (
    load_model,
    load_state,
    load_weights,
    save_checkpoint,
)
from armillary.world_models.checkpoints.description import read_info
from armillary.world_models.registry import build_model
from tests.reliability.fuzz.mutate import archive, raw, values
from tests.reliability.fuzz.reader import Files, Reader, replaced
from tests.world_models.toy import NAME

CONFIG, WEIGHTS, STATE = "config.json", "model.safetensors", "training.pt"
_STAGES = [{"objective": "joint", "length": 4, "stride": 1}]
_TRAINING = {"best_metric": "open_loop_psnr", "stages": _STAGES}
_DATA = {"file": "d.h5", "attributes": {"environment_frameskip": 2}, "splits": {"train": 3}}
_SIZES: dict[str, dict[str, int]] = {
    NAME: {},
    "sdvae": {"conv_channels": 2, "latent_size": 4, "lstm_hidden": 4, "num_slots": 2},
}


def _state() -> dict[str, Any]:
    moments = {"step": torch.tensor(3.0), "exp_avg": torch.ones(2), "exp_avg_sq": torch.ones(2)}
    groups = [{"lr": 1e-3, "betas": (0.9, 0.999), "params": [0, 1]}]
    return {
        "seconds": 1.5,
        "best": 20.0,
        "stage_index": 0,
        "stage_steps": {0: 3},
        "update": {"optimizer": {"state": {0: moments}, "param_groups": groups}},
        "threads": 1,
        "random": {"torch": torch.arange(16, dtype=torch.uint8), "python": (3, (1, 2), None)},
    }


@cache
def _checkpoints() -> list[Files]:
    """Of two models, as they are written and as they were before descriptions had digests."""
    made: list[Files] = []
    for name, sizes in _SIZES.items():
        torch.manual_seed(0)
        model = build_model(name, image_size=8, action_size=2, **sizes)
        with tempfile.TemporaryDirectory() as folder:
            path = save_checkpoint(
                Path(folder) / "last",
                model,
                step=3,
                metrics={"open_loop_psnr": 20.0},
                training=_TRAINING,
                data=_DATA,
                state=_state(),
            )
            files = {file.name: file.read_bytes() for file in path.iterdir()}
        made += [files, _with(files, WEIGHTS, _without_metadata(files[WEIGHTS]))]
    return made


def _without_metadata(content: bytes) -> bytes:
    header, body = _header(content)
    header.pop("__metadata__", None)
    return _joined(header, body)


def _header(content: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def _joined(header: Any, body: bytes) -> bytes:
    written = values.text(header).encode("utf-8", "surrogatepass")
    return len(written).to_bytes(8, "little") + written + body


def _with(files: Files, name: str, content: bytes) -> dict[str, bytes]:
    """Another file in a checkpoint, whose description names it by its digest."""
    config = json.loads(files[CONFIG])
    config["digests"][name] = sha256(content).hexdigest()
    return {**files, name: content, CONFIG: json.dumps(config).encode()}


def _description(random: Random, files: Files) -> Files:
    return replaced(random, files, CONFIG, values.json_damaged(random, files[CONFIG]))


def _weights(random: Random, files: Files) -> Files:
    kind = random.random()
    if kind < 0.3:
        changed = raw.damaged(random, files[WEIGHTS])
    else:
        header, body = _header(files[WEIGHTS])
        if kind < 0.9:
            header = values.damaged(random, header, _ODD_HEADERS)
        else:
            body = raw.damaged(random, body)
        changed = _joined(header, body)
    return _with(files, WEIGHTS, changed) if random.random() < 0.95 else {**files, WEIGHTS: changed}


_ODD_HEADERS = (
    *values.ODD,
    *("F64", "F16", "BF16", "F8_E4M3", "BOOL", "U64", "I8", "C64", "F4", "U1", "f32"),
    *([0, 0], [0, 4], [4, 0], [0, 2**63], [8, 8, 8], [2**32, 2**32], [0], [1] * 70, [2**16] * 4),
)


def _state_damaged(random: Random, files: Files) -> Files:
    return _with(files, STATE, _torch_damaged(random, files[STATE], _state()))


def _torch_damaged(random: Random, content: bytes, tree: Any) -> bytes:
    """A file of ``torch.save``: other values in it, or its archive damaged."""
    if random.random() < 0.5:
        return archive.damaged(random, content)
    changed = _tree_damaged(random, tree)
    try:
        return _saved(changed)
    except (RecursionError, RuntimeError, TypeError, AttributeError, UnicodeEncodeError):
        return archive.damaged(random, content)


def _saved(content: Any, legacy: bool = False) -> bytes:
    written = io.BytesIO()
    torch.save(content, written, _use_new_zipfile_serialization=not legacy)
    return written.getvalue()


def _tree_damaged(random: Random, tree: Any) -> Any:
    """Nested dictionaries with odd tensors, values or keys."""
    changed = values.damaged(random, copy.copy(tree), _odd_tensors())
    if isinstance(changed, dict) and random.random() < 0.1:
        changed[random.choice((0, None, 1.5, (1, 2), b"x", True))] = random.choice(_odd_tensors())
    return changed


@cache
def _odd_tensors() -> tuple[Any, ...]:
    return (
        *values.ODD,
        *(torch.tensor(float("nan")), torch.tensor([]), torch.zeros(0, 3), torch.zeros(2, 3, 4)),
        *(torch.zeros(1).expand(10**9), torch.zeros(1).expand(2**31, 2**31), torch.zeros(10)[3]),
        *(torch.zeros(2, dtype=torch.complex64), torch.zeros(2, dtype=torch.bool)),
        *(torch.zeros(2, dtype=torch.bfloat16), torch.full((2,), 2**62), torch.tensor(-(2**63))),
        *(torch.eye(2).to_sparse(), torch.zeros(2, device="meta"), torch.zeros(3, 4).T),
        *(
            torch.nn.Parameter(torch.ones(2)),
            torch.quantize_per_tensor(torch.ones(2), 1.0, 0, torch.qint8),
        ),
        *(torch.Size([1, 2]), torch.float32, (1, 2), {1, 2}, b"bytes", 1 + 2j, torch.device("cpu")),
        *(torch.float8_e4m3fn, torch.zeros(2).to(torch.float8_e4m3fn), bytearray(b"x")),
    )


def _load(folder: Path) -> object:
    info = read_info(folder)
    return info.stride, info.frameskip, load_model(folder), load_model(folder, num_slots=2)


def _describe(folder: Path) -> object:
    info = read_info(folder)
    return info.stride, info.frameskip


@cache
def _toy():
    return build_model(NAME, image_size=8, action_size=2)


def _resume(folder: Path) -> object:
    info = read_info(folder)
    if info.model["name"] == NAME:
        load_weights(_toy(), info)
    return load_state(info)


@cache
def _authors() -> list[Files]:
    """A small model under the authors' names, in three makes of file."""
    torch.manual_seed(0)
    model = build_model("sdvae", image_size=8, action_size=2, slot_ordered=True, **_SIZES["sdvae"])
    content = {"step": 5000, "model": _theirs(model.state_dict()), "model_opt": {}}
    bare = {f"module.{name}": tensor for name, tensor in content["model"].items()}
    return [
        {"authors.pth": _saved(content)},
        {"authors.pth": _saved(content, legacy=True)},
        {"authors.pth": _saved(bare)},
    ]


def _theirs(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    named = {}
    for name, tensor in state.items():
        for theirs, ours in _SLOT_MODELS:
            if name.startswith(ours):
                named[theirs + name[len(ours) :]] = tensor
                break
    return named


@cache
def _content(content: bytes) -> Any:
    return torch.load(io.BytesIO(content), weights_only=True)


def _authors_damaged(random: Random, files: Files) -> Files:
    content = files["authors.pth"]
    legacy = not content.startswith(b"PK")
    if legacy or random.random() < 0.2:
        changed = raw.damaged(random, content)
    else:
        changed = _torch_damaged(random, content, _content(content))
    return replaced(random, files, "authors.pth", changed)


def _import(folder: Path) -> object:
    return import_model(pickled.load(folder / "authors.pth", UsageError))


READERS = (
    Reader("checkpoint-description", _checkpoints, _description, _describe, share=8),
    Reader("checkpoint-model", _checkpoints, _description, _load, share=1),
    Reader("checkpoint-weights", _checkpoints, _weights, _load, share=4),
    Reader("training-state", _checkpoints, _state_damaged, _resume, share=1),
    Reader("authors-pth", _authors, _authors_damaged, _import, share=1),
)
