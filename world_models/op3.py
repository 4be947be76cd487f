"""op3: entities with a stochastic and a deterministic state (Veerapaneni et al. 2019)."""

from __future__ import annotations

from typing import ClassVar

from armillary.world_models.blocks.pairwise_dynamics import Memory
from armillary.world_models.iterative_slots import IterativeSlotModel
from armillary.world_models.registry import register_model


@register_model("op3")
class Op3(IterativeSlotModel):
    """Slots with a stochastic and a deterministic part, as in the RSSM (Hafner et al. 2019).

    The decoder reads both. Posteriors start from the dynamics' prediction and are compared with it,
    its variance included.
    """

    memory: ClassVar[Memory] = "recurrent"
    separate_variances: ClassVar[bool] = False
