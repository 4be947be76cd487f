"""sdvae_davos: SDVAE trained on the best of many rollouts, the paper's own model."""

from __future__ import annotations

from typing import ClassVar

from armillary.world_models.registry import register_model
from armillary.world_models.sdvae import Sdvae


@register_model("sdvae_davos")
class SdvaeDavos(Sdvae):
    """SDVAE whose default objective is ``U``: S rollouts, of which the likeliest counts."""

    objectives: ClassVar[tuple[str, ...]] = ("U", "D", "BMS", "I")
