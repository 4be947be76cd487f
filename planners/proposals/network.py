"""The inverse-dynamics network: from the slots that are and those that are wanted to actions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from armillary.planners.proposals.query import Query


class InverseDynamics(nn.Module):
    """Several guesses at the actions between two scenes; the order of slots does not matter.

    Every slot is a token: what it shows, how that is to change where it is an object, and what it
    is. A transformer relates them, their mean says what to do. There is more than one way round a
    block, and the mean of two ways is none: guesses compete for what was recorded, as the
    hypotheses of Rupprecht et al. (2017) do.

    Args:
        slot_size: D.
        action_size: A.
        horizon: T, steps of a guess.
        guesses: M.
        width: of the transformer.
        layers: its depth.
        heads: its attention heads.

    Attributes:
        settings: all of these by name.
    """

    def __init__(
        self,
        *,
        slot_size: int,
        action_size: int,
        horizon: int,
        guesses: int = 16,
        width: int = 96,
        layers: int = 2,
        heads: int = 4,
    ) -> None:
        super().__init__()
        self.settings = {
            "slot_size": slot_size,
            "action_size": action_size,
            "horizon": horizon,
            "guesses": guesses,
            "width": width,
            "layers": layers,
            "heads": heads,
        }
        self.slot_size = slot_size
        self.action_size = action_size
        self.horizon = horizon
        self.guesses = guesses
        self.slot_mean: Tensor
        self.slot_std: Tensor
        self.low: Tensor
        self.high: Tensor
        for name in ("slot_mean", "slot_std"):
            self.register_buffer(name, torch.full((slot_size,), float(name == "slot_std")))
        for name, end in (("low", -1.0), ("high", 1.0)):
            self.register_buffer(name, torch.full((action_size,), end))
        self.token = nn.Linear(2 * slot_size + 2, width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, 2 * width, dropout=0.0, batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        outputs = guesses * (horizon * action_size + 1)
        self.head = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, outputs),
        )

    def forward(self, query: Query) -> tuple[Tensor, Tensor]:
        """N queries -> guesses (N, M, T, A) in [-1, 1] and how much each is trusted, (N, M) logits.

        -1 and 1 are ``low`` and ``high``.
        """
        objects, effector = query.objects.unsqueeze(-1), query.effector.unsqueeze(-1)
        shown = (query.slots - self.slot_mean) / self.slot_std
        change = (query.goal - query.slots) / self.slot_std * objects
        tokens = self.token(torch.cat([shown, change, objects, effector], -1))
        for layer in self.layers:
            tokens = layer(tokens)
        actions, trust = self.head(tokens.mean(1)).split(
            [self.guesses * self.horizon * self.action_size, self.guesses], -1
        )
        shape = (self.guesses, self.horizon, self.action_size)
        return actions.unflatten(-1, shape).tanh(), trust

    def guess(self, query: Query) -> Tensor:
        """(N, M, T, A) in the environment's units, the most trusted first."""
        actions, trust = self(query)
        order = trust.argsort(dim=1, descending=True, stable=True)
        ordered = actions.gather(1, order[..., None, None].expand_as(actions))
        return self.low + (ordered + 1) / 2 * (self.high - self.low)
