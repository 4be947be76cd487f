"""How slots see a frame: seeded afresh in it, or from where they were."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from armillary.determinism import sampled
from armillary.world_models.blocks.initializer import FarthestPointInitializer
from armillary.world_models.blocks.slot_attention import SlotAttention
from armillary.world_models.slots.seeding import affinity, hues, presence, unlikeness
from armillary.world_models.slots.state import SlotState, parked


@dataclass(frozen=True)
class Sight:
    """Initializer and corrector of SAVi (Kipf et al. 2022), with the networks of a model.

    Attributes:
        encoder: frames (N, 3, H, W) -> tokens (N, E, L, L).
        initializer: seeds slots.
        first_content: (N, K, E) of the tokens at seeds -> contents (N, K, Z).
        corrector: refines slots.
        posterior: contents -> contents, the last layer.
        color_affinity: see ``seeding.affinity``; 0 leaves colours to be learned.
        absent: see ``seeding.presence``; 0 lets every slot show something.
        brightness: see ``seeding.hues``, by which seeds and tokens are compared; None compares
            colours.
        background: (3, H, W) what is seen where there is no thing; None where that is not known.
        background_affinity: as ``color_affinity``, of what differs from it there.
    """

    encoder: nn.Module
    initializer: FarthestPointInitializer
    first_content: nn.Module
    corrector: SlotAttention
    posterior: nn.Module
    color_affinity: float
    absent: float
    brightness: float | None = None
    background: Tensor | None = None
    background_affinity: float = 0.0

    def afresh(self, frame: Tensor, iterations: int) -> tuple[SlotState, Tensor]:
        """What is seen from seeds, at rest, and what each slot attends to (N, K, L * L)."""
        features = self.encoder(frame)
        colors, behind = self._compared(frame), None
        if self.background is not None:
            behind = self._compared(self.background.unsqueeze(0))
        seeds = self.initializer.seeds(colors, behind)
        seen = sampled(features, 2.0 * seeds.places.unsqueeze(1) - 1.0)
        content = self.first_content(seen.squeeze(2).transpose(1, 2))
        middle = torch.full_like(seeds.places[:, :1], 0.5)
        start = torch.cat([middle, seeds.places[:, 1:]], 1)
        known, present = None, presence(seeds, self.absent)
        if self.color_affinity > 0 or self.absent > 0:
            side = features.shape[-1]
            known = affinity(colors, seeds, side, self.color_affinity, present)
            if behind is not None:
                unlike = unlikeness(colors, behind, side, self.background_affinity)
                known = torch.cat([unlike.unsqueeze(1), known[:, 1:]], 1)
        content, position, attention = self._corrected(features, content, start, iterations, known)
        if self.absent > 0:
            position = parked(position, present)
        return SlotState(content, position, torch.zeros_like(position)), attention

    def again(self, frame: Tensor, state: SlotState, iterations: int) -> tuple[SlotState, Tensor]:
        """What is seen by slots that lie about where they did, whose motion is kept."""
        features = self.encoder(frame)
        content, position, attention = self._corrected(
            features, state.content, state.position, iterations, None
        )
        return SlotState(content, position, state.motion), attention

    def _compared(self, frame: Tensor) -> Tensor:
        """What of frames is compared: colours or hues."""
        return frame if self.brightness is None else hues(frame, self.brightness)

    def _corrected(
        self,
        features: Tensor,
        content: Tensor,
        position: Tensor,
        iterations: int,
        known: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        tokens = features.flatten(2).transpose(1, 2)
        content, position, attention = self.corrector(tokens, content, position, iterations, known)
        return self.posterior(content), position, attention
