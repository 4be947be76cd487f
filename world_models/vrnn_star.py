"""vrnn_star: a VRNN trained on its own rollouts after the context (Emami et al. 2020)."""

from __future__ import annotations

from typing import ClassVar

from armillary.world_models.registry import register_model
from armillary.world_models.vrnn import Vrnn


@register_model("vrnn_star")
class VrnnStar(Vrnn):
    """A VRNN whose default objective is ``open_loop``."""

    objectives: ClassVar[tuple[str, ...]] = ("open_loop", "teacher_forced")
