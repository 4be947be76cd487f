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


FORM = 5
"""The features of a quadratic form of x and y."""


def frame_moments(grid: Tensor, position: Tensor, extent: Tensor, third: bool = False) -> Tensor:
    """Features of the grid in each slot's frame of reference, whose means are moments.

    Args:
        grid: (L, 2) in [0, 1].
        position: (N, K, 2) origin of each frame, in [0, 1].
        extent: (K, 1) length of each frame's unit.
        third: whether those of the third order are among them.

    Returns:
        (N, K, L, 5): x, y, x^2, y^2 and xy, coordinates clipped to [-3, 3]; with those of the third
        order (N, K, L, 9), and x^3, x^2 y, x y^2 and y^3.
    """
    relative = (grid.T - position.unsqueeze(-1)) / extent.unsqueeze(-1)
    x, y = relative.clamp(-3.0, 3.0).unbind(2)
    features = [x, y, x * x, y * y, x * y]
    if third:
        features += [x * x * x, x * x * y, x * y * y, y * y * y]
    return torch.stack(features, 2).transpose(2, 3)  # one after the other in memory


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
        third_moments: whether a slot knows those of what it attends to: they tell which way round
            a thing lies, where the second ones tell its axis alone. All moments are then taken in
            a unit a third as long, in which those of an object are about 1.
    """

    def __init__(
        self,
        token_size: int,
        content_size: int,
        object_extent: float,
        third_moments: bool = False,
    ) -> None:
        super().__init__()
        self.third_moments = third_moments
        self.norm_tokens = nn.LayerNorm(token_size)
        self.norm_content = nn.LayerNorm(content_size)
        self.norm_update = nn.LayerNorm(content_size)
        self.query = nn.Linear(content_size, content_size, bias=False)
        self.key = nn.Linear(token_size, content_size, bias=False)
        self.value = nn.Linear(token_size, content_size, bias=False)
        self.place_query = nn.Linear(content_size, FORM)
        self.place_value = nn.Linear(9 if third_moments else FORM, content_size, bias=False)
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
        self,
        tokens: Tensor,
        content: Tensor,
        position: Tensor,
        iterations: int,
        affinity: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Refines slots.

        Args:
            tokens: (N, L, token_size), a square grid row by row.
            content: (N, K, Z).
            position: (N, K, 2) in [0, 1]; slot 0 in the middle.
            iterations: how often to refine, at least once.
            affinity: (N, K, L), what is known beforehand; it is added to the logits.

        Returns:
            The new content and position, shaped as before, and the last attention (N, K, L), which
            adds up to 1 over the slots.
        """
        attention = tokens
        tokens = self.norm_tokens(tokens)
        keys, values = self.key(tokens), self.value(tokens)
        grid = token_grid(round(tokens.shape[1] ** 0.5), tokens.device)
        scale = content.shape[-1] ** -0.5
        extent, movable = (per_slot(pair, content.shape[1]) for pair in (self.extent, self.movable))
        for _ in range(iterations):
            normed = self.norm_content(content)
            moments = frame_moments(grid, position, extent)
            logits = scale * self.query(normed) @ keys.transpose(1, 2)
            form = self.place_query(normed).unsqueeze(-1)
            logits = logits + movable * (moments @ form).squeeze(-1)
            if affinity is not None:
                logits = logits + affinity
            attention = logits.softmax(1) + 1e-8
            weights = attention / attention.sum(-1, keepdim=True)
            if self.third_moments:
                moments = frame_moments(grid, position, extent / 3.0, third=True)
            seen = weights @ values + self.place_value((weights.unsqueeze(2) @ moments).squeeze(2))
            position = position + movable * (weights @ grid - position)
            content = self.update(seen.flatten(0, 1), content.flatten(0, 1)).view_as(content)
            content = content + self.mlp(self.norm_update(content))
        return content, position, attention
