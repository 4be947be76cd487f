"""torch.compile changes how a step is computed, not what it gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch._inductor import cpp_builder
from torch._inductor.exc import InvalidCxxCompiler

from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.data import EpisodeFile
from armillary.world_models.model import Losses, Window
from armillary.world_models.registry import register_model
from tests.world_models import toy
from tests.world_models.training.runs import JOINT, config, fit, fresh


@register_model("plain_toy")
class PlainToy(toy.ToyModel):
    """A loss of one small graph: compiling it takes seconds."""

    def loss(self, window: Window, objective: str, step: int) -> Losses:
        error = (self.gate - window.frames.square().mean()).square() + self.gate.exp()
        return Losses(error, {"error": error.detach()})


def has_compiler() -> bool:
    try:
        cpp_builder.get_cpp_compiler()
    except InvalidCxxCompiler:
        return False
    return True


@pytest.mark.skipif(not has_compiler(), reason="torch.compile needs a C++ compiler")
def test_compiled_loss_takes_the_same_steps(episodes: EpisodeFile, tmp_path: Path) -> None:
    runs = {}
    for name, compiled in (("plain", False), ("compiled", True)):
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        settings = config(JOINT, max_steps=4, compile=compiled)
        _, runs[name] = fit(episodes, settings, tmp_path / name, fresh("plain_toy"))
        assert (torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0) == compiled
    for one, other in zip(runs["plain"].steps, runs["compiled"].steps, strict=True):
        assert other.losses == pytest.approx(one.losses, rel=1e-5)
        assert other.gradient_norm == pytest.approx(one.gradient_norm, rel=1e-5)
    plain, compiled = (load_model(tmp_path / name).state_dict() for name in runs)
    assert plain.keys() == compiled.keys()
    assert float(plain["gate"]) == pytest.approx(float(compiled["gate"]), rel=1e-5)
