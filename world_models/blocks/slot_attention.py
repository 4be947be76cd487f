"""Slot attention whose slots carry a place: content is what a slot shows, position where."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def token_grid(side: int, device: torch.device | None = None) -> Tensor:
    """Centres (x, y) of a side x side grid of cells in the unit square, row by row: (side^2, 2)."""
    centres = (torch.arange(side, device=device) + 0.5) / side
    return torch.cartesian_prod(centres, centres).flip(-1)


def per_slot(pair: Tensor, slots: int) -> Tensor:
    """A number for the background and one for objects, (2, 1) -> one for every slot, (K, 1)."""
    return torch.cat([pair[:1], pair[1:].expand(slots - 1, 1)])


def frame_moments(grid: Tensor, position: Tensor, extent: Tensor) -> Tensor:
    """Quadratic features of the grid in each slot's frame of reference.

    Args:
        grid: (L, 2) in [0, 1].
        position: (N, K, 2) origin of each frame, in [0, 1].
        extent: (K, 1) length of each frame's unit.

    Returns:
        (N, K, L, 5): x, y, x^2, y^2 and xy, coordinates clipped to [-3, 3].
    """
    relative = (grid - position.unsqueeze(2)) / extent.unsqueeze(1)
    relative = relative.clamp(-3.0, 3.0)
    x, y = relative.unbind(-1)
    return torch.stack([x, y, x * x, y * y, x * y], -1)


class SlotAttention(nn.Module):
    """Slot attention (Locatello et al. 2020) in slot-centred frames (Biza et al. 2023).

    Slots compete for tokens by content and by place: the logit of a token adds to the usual dot
    product a quadratic form, predicted from the slot, of the token's place in the slot's frame. A
    slot's position is the centre of mass of its attention: the module is translation-equivariant.
    Slot 0 is the background: its frame is the whole image and does not move.

    Args:
        token_size: width of the tokens.
        content_size: Z, width of a slot's content.
        object_extent: unit of length of an object's frame, in image widths.
    """

    def __init__(self, token_size: int, content_size: int, object_extent: float) -> None:
        super().__init__()
        self.norm_tokens = nn.LayerNorm(token_size)
        self.norm_content = nn.LayerNorm(content_size)
        self.norm_update = nn.LayerNorm(content_size)
        self.query = nn.Linear(content_size, content_size, bias=False)
        self.key = nn.Linear(token_size, content_size, bias=False)
        self.value = nn.Linear(token_size, content_size, bias=False)
        self.place_query = nn.Linear(content_size, 5)
        self.place_value = nn.Linear(5, content_size, bias=False)
        self.update = nn.GRUCell(content_size, content_size)
        self.mlp = nn.Sequential(
            nn.Linear(content_size, 2 * content_size),
            nn.ReLU(),
            nn.Linear(2 * content_size, content_size),
        )
        nn.init.zeros_(self.place_query.weight)
        with torch.no_grad():
            self.place_query.bias.copy_(torch.tensor([0.0, 0.0, -2.0, -2.0, 0.0]))
        self.extent: Tensor
        self.movable: Tensor
        extent = torch.tensor([[0.5], [object_extent]])
        self.register_buffer("extent", extent, persistent=False)
        self.register_buffer("movable", torch.tensor([[0.0], [1.0]]), persistent=False)

    def forward(
        self, tokens: Tensor, content: Tensor, position: Tensor, iterations: int
    ) -> tuple[Tensor, Tensor]:
        """Refines slots.

        Args:
            tokens: (N, L, token_size), a square grid row by row.
            content: (N, K, Z).
            position: (N, K, 2) in [0, 1]; slot 0 in the middle.
            iterations: how often to refine.

        Returns:
            The new content and position, shaped as before.
        """
        tokens = self.norm_tokens(tokens)
        keys, values = self.key(tokens), self.value(tokens)
        grid = token_grid(round(tokens.shape[1] ** 0.5), tokens.device)
        scale = content.shape[-1] ** -0.5
        extent, movable = (per_slot(pair, content.shape[1]) for pair in (self.extent, self.movable))
        for _ in range(iterations):
            normed = self.norm_content(content)
            moments = frame_moments(grid, position, extent)
            logits = scale * self.query(normed) @ keys.transpose(1, 2)
            place_logits = (moments @ self.place_query(normed).unsqueeze(-1)).squeeze(-1)
            attention = (logits + movable * place_logits).softmax(1) + 1e-8
            weights = attention / attention.sum(-1, keepdim=True)
            seen = weights @ values + self.place_value((weights.unsqueeze(2) @ moments).squeeze(2))
            position = position + movable * (weights @ grid - position)
            content = self.update(seen.flatten(0, 1), content.flatten(0, 1)).view_as(content)
            content = content + self.mlp(self.norm_update(content))
        return content, position
