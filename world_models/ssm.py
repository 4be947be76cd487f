"""ssm: SDVAE without memory, the ablation that sees the last slots only (Emami et al. 2020)."""

from __future__ import annotations

from typing import ClassVar

from armillary.world_models.blocks.pairwise_dynamics import Memory
from armillary.world_models.iterative_slots import IterativeSlotModel
from armillary.world_models.registry import register_model


@register_model("ssm")
class Ssm(IterativeSlotModel):
    """A state-space model: the next slots depend on the last ones and the action alone."""

    memory: ClassVar[Memory] = "none"
