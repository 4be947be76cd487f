"""TorchScript files that the user names: the network of FVD and that of LPIPS."""

from __future__ import annotations

import tempfile
import warnings
from functools import cache
from pathlib import Path
from random import Random

import torch
from torch import Tensor, nn

from armillary.experiments.evaluation.lpips import PerceptualDistance
from armillary.experiments.realism.i3d import I3D
from tests.experiments.realism import stand_in_i3d
from tests.reliability.fuzz.mutate import archive
from tests.reliability.fuzz.reader import Files, Reader, replaced

_FILE = "network.pt"


class Distance(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return (x - y).square().mean((1, 2, 3))


def _saved(network: nn.Module) -> list[Files]:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = stand_in_i3d.save(network, Path(folder) / _FILE)
        return [{_FILE: path.read_bytes()}]


@cache
def _i3d() -> list[Files]:
    return _saved(stand_in_i3d.StandIn())


@cache
def _lpips() -> list[Files]:
    return _saved(Distance())


def _damage(random: Random, files: Files) -> Files:
    return replaced(random, files, _FILE, archive.damaged(random, files[_FILE]))


def _features(folder: Path) -> object:
    network = I3D(folder / _FILE, torch.device("cpu"))
    return network.features(torch.zeros(1, 9, 8, 8, 3))


def _distance(folder: Path) -> object:
    return PerceptualDistance(folder / _FILE, 8, torch.device("cpu"))


READERS = (
    Reader("fvd-network", _i3d, _damage, _features, share=0.25),
    Reader("lpips-network", _lpips, _damage, _distance, share=0.25),
)
