"""The toy model keeps the world-model contract."""

from __future__ import annotations

from tests.contracts.world_model import WorldModelContract
from tests.world_models import toy
from world_models.model import WorldModel
from world_models.registry import build_model


class TestToyModel(WorldModelContract):
    def make(self) -> WorldModel:
        return build_model(toy.NAME)
