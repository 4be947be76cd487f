"""Gradients under the authors' names and in their shapes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from armillary.world_models.checkpoints.authors import our_name
from armillary.world_models.model import WorldModel
from tests.parity.fixture import Check, Fixture


class Renamed(dict[str, Tensor]):
    """Tensors of our model, looked up by the authors' names."""

    def __missing__(self, name: str) -> Tensor:
        tensor = self[our_name(name)]
        return tensor.unsqueeze(0) if name == "lamda_0" else tensor


def gradients(model: WorldModel) -> Renamed:
    """Of every parameter that has one."""
    return Renamed({n: p.grad for n, p in model.named_parameters() if p.grad is not None})


def parameters(model: WorldModel) -> Renamed:
    """Parameters and buffers as they are."""
    return Renamed({name: tensor.detach().clone() for name, tensor in model.state_dict().items()})


def float64_gradients(
    fixture: Fixture, found: Mapping[str, Tensor], tolerance: float
) -> list[Check]:
    """The L2 norms of all gradients against the float64 run."""
    names = [name for name in fixture.float64 if name.startswith("grad/")]
    return [
        fixture.compare_float64(name, float(found[name.removeprefix("grad/")].norm()), tolerance)
        for name in names
    ]
