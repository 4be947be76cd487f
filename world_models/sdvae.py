"""sdvae: the symmetric, object-centric, stochastic model (Emami et al. 2020)."""

from __future__ import annotations

from armillary.world_models.iterative_slots import IterativeSlotModel
from armillary.world_models.registry import register_model


@register_model("sdvae")
class Sdvae(IterativeSlotModel):
    """Slots without a deterministic path: a GRU over their own history moves them.

    Discovery and dynamics have variances of their own: the posterior starts from, and is compared
    with, a learned static one; the future is imagined with the dynamics'. Trained on rollouts of
    one sample (objective ``D``).
    """
