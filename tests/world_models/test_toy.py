"""The toy model keeps the world-model contract."""

from __future__ import annotations

from armillary.contracts.world_model import WorldModelContract
from armillary.world_models.model import WorldModel
from armillary.world_models.registry import build_model
from tests.world_models import toy


class TestToyModel(WorldModelContract):
    def make(self) -> WorldModel:
        return build_model(toy.NAME)
