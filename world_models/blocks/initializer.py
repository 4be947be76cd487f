"""Chooses where slots start in the first frame of a video."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from armillary.determinism import medians


@dataclass(frozen=True)
class Seeds:
    """Where slots start, the background first.

    Attributes:
        places: (N, K, 2) x and y in [0, 1].
        colors: (N, K, C) of the patches.
        apart: (N, K) distance from the nearest earlier seed, in colour and weighed place; infinite
            for the first.
    """

    places: Tensor
    colors: Tensor
    apart: Tensor


class FarthestPointInitializer(nn.Module):
    """Seeds K slots at pixels that differ most in colour and place; it has no parameters.

    The farthest-point traversal of Gonzalez (1985), the deterministic relative of k-means++: the
    first seed is the pixel nearest to the frame's median colour, which stands for the background,
    and each next one is the pixel furthest from all seeds so far. Patches of mixed colour, which
    straddle an edge, are put off by their standard deviation.

    Args:
        num_slots: K.
        patch: side of the averaged patches, in pixels.
        place_weight: how much a distance of one image width counts against colours in [0, 1].
    """

    def __init__(self, num_slots: int, patch: int = 2, place_weight: float = 0.5) -> None:
        super().__init__()
        self.num_slots = num_slots
        self.patch = patch
        self.place_weight = place_weight

    def forward(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) frames in [0, 1] -> (N, K, 2) seeds (x, y) in [0, 1], background first."""
        return self.seeds(frames).places

    @torch.no_grad()
    def seeds(self, frames: Tensor, behind: Tensor | None = None) -> Seeds:
        """K seeds of each frame, and what is known of them.

        Args:
            frames: (N, C, H, W), in whatever colours.
            behind: (1, C, H, W), the background alone, where it is known: things are what differs
                from it where they are. The first seed is then in the middle.
        """
        size = frames.shape[-1]
        means = _means(frames, self.patch)
        variance = _means(frames.square(), self.patch) - means.square()
        penalty = variance.clamp_min(0.0).sum(1).sqrt().flatten(1)
        colors = means.flatten(2)
        centres = (torch.arange(means.shape[-1], device=frames.device) + self.patch / 2) / size
        places = torch.cartesian_prod(centres, centres).flip(-1)
        rows = torch.arange(frames.shape[0], device=frames.device)

        if behind is None:
            middle = medians(colors.transpose(1, 2)).transpose(1, 2)
            seed = (colors - middle).square().sum(1).argmin(1)
            nearest = (colors - colors[rows, :, seed].unsqueeze(-1)).square().sum(1)
        else:
            seed = torch.full_like(rows, len(places) // 2)
            still = _means(behind, self.patch).flatten(2)
            nearest = (colors - still).square().sum(1)
        seeds, apart = [seed], [torch.full_like(penalty[:, 0], torch.inf)]
        for _ in range(self.num_slots - 1):
            distance = nearest.sqrt()
            seed = (distance - penalty).argmax(1)
            seeds.append(seed)
            apart.append(distance[rows, seed])
            color = (colors - colors[rows, :, seed].unsqueeze(-1)).square().sum(1)
            place = (places - places[seed].unsqueeze(1)).square().sum(-1)
            nearest = torch.minimum(nearest, color + self.place_weight**2 * place)
        chosen = torch.stack(seeds, 1)
        patches = colors[rows.unsqueeze(1), :, chosen]
        return Seeds(places[chosen], patches, torch.stack(apart, 1))


def _means(images: Tensor, side: int) -> Tensor:
    """(N, C, H, W) -> (N, C, H - side + 1, W - side + 1), of all patches.

    As ``avg_pool2d`` with a stride of 1 has them, which takes much longer on a processor.
    """
    height, width = (length - side + 1 for length in images.shape[-2:])
    shifted = [
        images[..., row : row + height, column : column + width]
        for row in range(side)
        for column in range(side)
    ]
    return sum(shifted[1:], shifted[0]) / side**2
