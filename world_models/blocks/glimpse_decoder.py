"""Decodes each slot to a small patch and puts the patch where the slot is."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from armillary.determinism import sampled
from armillary.world_models.blocks.slot_attention import per_slot, token_grid
from armillary.world_models.state import Scene

_OUTSIDE = -8.0


class GlimpseDecoder(nn.Module):
    """A patch of colours and mask logits per slot, pasted by a spatial transformer.

    The decoder of AIR (Eslami et al. 2016; Jaderberg et al. 2015) with the mixture composition of
    slot attention. A patch is a matrix product instead of a stack of convolutions over the whole
    image, and an object that moves is decoded alike wherever it is. Slot 0 is the background, whose
    patch covers the image.

    Args:
        content_size: Z.
        image_size: H = W.
        patch: side of a patch, in cells.
        object_extent: half the side of an object's patch, in image widths.
        hidden: width of the hidden layers.
    """

    def __init__(
        self,
        content_size: int,
        image_size: int,
        patch: int,
        object_extent: float,
        hidden: int,
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.patch = patch
        self.net = nn.Sequential(
            nn.Linear(content_size, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 4 * patch * patch),
        )
        self.extent: Tensor
        # Puts the centres of the outermost cells on the image's edge: nothing fades there.
        extent = torch.tensor([[0.5 * patch / (patch - 1)], [object_extent]])
        self.register_buffer("extent", extent, persistent=False)

    def forward(self, content: Tensor, position: Tensor, background: Tensor | None = None) -> Scene:
        """Contents (N, K, Z), positions (N, K, 2) -> components (N, K, 3, H, W), masks.

        Where what slot 0 looks like is known, it is given as ``background`` (3, H, W).
        """
        count, slots, _ = content.shape
        size = self.image_size
        patches = self.net(content).view(count * slots, 4, self.patch, self.patch)
        pixels = token_grid(size, content.device)
        places = (pixels - position.unsqueeze(2)) / per_slot(self.extent, slots).unsqueeze(1)
        colors, logits = patches.split([3, 1], dim=1)
        canvas = sampled(
            torch.cat([colors, logits - _OUTSIDE], dim=1),
            places.view(count * slots, size, size, 2),
        ).view(count, slots, 4, size, size)
        components = canvas[:, :, :3].sigmoid()
        if background is not None:
            still = background.expand(count, 1, -1, -1, -1)
            components = torch.cat([still, components[:, 1:]], 1)
        masks = (canvas[:, :, 3:] + _OUTSIDE).softmax(1)
        return Scene(components, masks)
