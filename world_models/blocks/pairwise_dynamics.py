"""How slots move: memory, action, pairwise effects (Veerapaneni et al. 2019; Emami et al. 2020)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Memory = Literal["history", "recurrent", "none"]
_ACTION_WIDTH = 32


class PairwiseDynamics(nn.Module):
    """From slots, their memory and an action to the distribution of the next slots.

    Three memories: ``history`` is a GRU over the slot's past embeddings (SDVAE; carrying its hidden
    state is the same function as running over the history again), ``recurrent`` a deterministic
    path that the decoder reads too (the RSSM of OP3), ``none`` sees the last slots only (SSM).

    Args:
        latent_size: Z.
        action_size: A; 0 leaves the action out.
        memory: ``history``, ``recurrent`` or ``none``.
        slots: K.
        slot_ordered: whether the effect between two slots is computed once, in the order of the
            slots, and used both ways, as the authors' code does; otherwise every ordered pair has
            its own effect and the dynamics are permutation-equivariant.
    """

    def __init__(
        self, latent_size: int, action_size: int, memory: Memory, slots: int, slot_ordered: bool
    ) -> None:
        super().__init__()
        size = latent_size
        self.latent_size = size
        self.action_size = action_size
        self.memory = memory
        self.memory_size = {"history": 2 * size, "recurrent": size, "none": 0}[memory]
        self.embed = nn.Linear(size, 2 * size)
        if memory != "none":
            self.gru = nn.GRUCell(2 * size, self.memory_size)
        if memory == "recurrent":
            self.hidden = nn.Linear(size, size)
        if action_size:
            self.action_embed = nn.Linear(action_size, _ACTION_WIDTH)
            self.action_effect = nn.Linear(2 * size + _ACTION_WIDTH, 2 * size)
            self.action_attention = nn.Linear(2 * size, 1)
        self.effect = nn.Linear(4 * size, 4 * size)
        self.attention = nn.Linear(4 * size, 1)
        self.combine = nn.Linear(6 * size, size)
        self.loc = nn.Linear(size, size)
        self.scale = nn.Linear(size, size)
        first, second, receive = _pairs(slots, slot_ordered)
        self.first: Tensor
        self.second: Tensor
        self.receive: Tensor
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("second", second, persistent=False)
        self.register_buffer("receive", receive, persistent=False)

    def forward(
        self, latents: Tensor, memory: Tensor, action: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One step.

        Args:
            latents: (N, K, Z).
            memory: (N, K, memory_size), zeros before the first step.
            action: (N, A), in the environment's units, noise included.

        Returns:
            Location and raw scale of the next latents, (N, K, Z) each, and the next memory.
        """
        embedded = F.elu(self.embed(latents))
        if self.memory != "none":
            memory = self.gru(embedded.flatten(0, 1), memory.flatten(0, 1)).view_as(memory)
            embedded = memory if self.memory == "history" else torch.cat([memory, memory], -1)
        if self.action_size:
            seen = F.elu(self.action_embed(action)).unsqueeze(1)
            seen = torch.cat([embedded, seen.expand(-1, embedded.shape[1], -1)], -1)
            acted = F.elu(self.action_effect(seen))
            embedded = torch.sigmoid(self.action_attention(acted)) * acted
        result = self.combine(torch.cat([embedded, self._effects(embedded)], -1))
        if self.memory == "recurrent":
            memory = self.hidden(result)
        return self.loc(result), self.scale(result), memory

    def _effects(self, embedded: Tensor) -> Tensor:
        """(N, K, 2 Z) -> (N, K, 4 Z): what the other slots do to each.

        The linear layer over a concatenated pair is split in two, one product per slot.
        """
        to_first, to_second = self.effect.weight.chunk(2, 1)
        one = F.linear(embedded, to_first, self.effect.bias)[:, self.first]
        other = F.linear(embedded, to_second)[:, self.second]
        effect = F.elu(one + other)
        return self.receive @ (torch.sigmoid(self.attention(effect)) * effect)


def _pairs(slots: int, slot_ordered: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The P pairs: first slots (P,), second slots (P,), and who receives each effect (K, P)."""
    pairs = [
        (one, other)
        for one in range(slots)
        for other in range(slots)
        if (one < other if slot_ordered else one != other)
    ]
    receive = torch.zeros(slots, len(pairs))
    for index, (one, other) in enumerate(pairs):
        receive[one, index] = 1.0
        if slot_ordered:
            receive[other, index] = 1.0
    first, second = torch.tensor(pairs, dtype=torch.long).view(-1, 2).unbind(1)
    return first, second, receive
