"""Trains the inverse-dynamics network on recorded episodes: what led to what was reached later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from armillary.errors import ArmillaryError
from armillary.planners.proposals.network import InverseDynamics
from armillary.planners.proposals.query import Query
from armillary.planners.proposals.recorded import Recorded

_SHARED = 0.05
"""Of the loss, that all guesses have in common, so that none is left behind."""


@dataclass(frozen=True)
class Settings:
    """How the network learns.

    Attributes:
        steps: of Adam.
        batch: pairs of moments in each.
        learning_rate: at first; it falls to zero like half a cosine.
        seed: of the weights and the pairs.
    """

    steps: int = 8000
    batch: int = 256
    learning_rate: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch"):
            if getattr(self, name) < 1:
                raise ArmillaryError(f"{name} must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Pairs:
    """N pairs of moments of one episode each, in hindsight the second is the goal.

    Attributes:
        query: from the first moment to the second.
        actions: (N, T, A), what was done from the first on; zeros after the second.
        valid: (N, T) float32, 1 up to the second.
    """

    query: Query
    actions: Tensor
    valid: Tensor


def learn(
    recorded: Recorded,
    horizon: int,
    settings: Settings,
    told: Callable[[int, Tensor], None] = lambda step, loss: None,
    shown: Tensor | None = None,
) -> InverseDynamics:
    """A trained network, in evaluation mode.

    Args:
        recorded: what is learnt from.
        horizon: steps of a guess.
        settings: how.
        told: called with each step and its loss ().
        shown: (N, T, K), see ``drawn``.

    Raises:
        ArmillaryError: no episode lasts for so many steps.
    """
    longest = recorded.actions.shape[1]
    if not 1 <= horizon <= longest:
        raise ArmillaryError(
            f"horizon must be from 1 to {longest}, the steps of a recorded episode, got {horizon}"
        )
    device, size = recorded.slots.device, recorded.actions.shape[-1]
    generator = torch.Generator(device).manual_seed(settings.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = InverseDynamics(
            slot_size=recorded.slots.shape[-1], action_size=size, horizon=horizon
        )
    network.slot_mean.copy_(recorded.slots.mean((0, 1, 2)))
    network.slot_std.copy_(recorded.slots.std((0, 1, 2)).clamp_min(1e-3))
    network.low.copy_(recorded.actions.amin((0, 1)))
    network.high.copy_(recorded.actions.amax((0, 1)))
    network.to(device).train()
    adam = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=0.01)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, settings.steps)
    for step in range(settings.steps):
        pairs = drawn(recorded, horizon, settings.batch, generator, shown)
        loss = loss_of(network, pairs)
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        adam.step()
        falling.step()
        told(step, loss.detach())
    return network.eval()


def drawn(
    recorded: Recorded,
    horizon: int,
    count: int,
    generator: torch.Generator,
    shown: Tensor | None = None,
) -> Pairs:
    """Pairs of moments, every first one and every distance to the second equally likely.

    Args:
        recorded: they are from.
        horizon: T, steps that are kept; the second moment may be later.
        count: N.
        generator: on the device of what is recorded.
        shown: (N, T, K) float32, 1 where a frame shows a slot's thing: what the second moment does
            not show is no object, as in plans. None where all are shown.
    """
    device, (episodes, frames) = recorded.slots.device, recorded.slots.shape[:2]
    episode = torch.randint(episodes, (count,), generator=generator, device=device)
    first = torch.randint(frames - 1, (count,), generator=generator, device=device)
    share = torch.rand(count, generator=generator, device=device)
    left = frames - 1 - first
    steps = 1 + (share * left).long().minimum(left - 1)
    objects = recorded.objects[episode]
    if shown is not None:
        objects = objects * shown[episode, first + steps]
    query = Query(
        recorded.slots[episode, first],
        recorded.slots[episode, first + steps],
        objects,
        recorded.effector[episode],
    )
    later = torch.arange(horizon, device=device)
    valid = (later < steps.unsqueeze(1)).float()
    moments = (first.unsqueeze(1) + later).clamp_max(frames - 2)
    actions = recorded.actions[episode.unsqueeze(1), moments] * valid.unsqueeze(-1)
    return Pairs(query, actions, valid)


def errors(network: InverseDynamics, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """The mean squared error of every guess (N, M), 1 being half of the range, and the logits."""
    guesses, trust = network(pairs.query)
    middle, half = (network.high + network.low) / 2, (network.high - network.low) / 2
    half = half.clamp_min(1e-6)
    wanted = ((pairs.actions - middle) / half).unsqueeze(1)
    valid = pairs.valid[:, None, :, None]
    total = ((guesses - wanted).square() * valid).sum((2, 3))
    return total / (pairs.valid.sum(1, keepdim=True) * guesses.shape[-1]), trust


def loss_of(network: InverseDynamics, pairs: Pairs) -> Tensor:
    """(): the error of the best guess, a little of all others', and of knowing which it is."""
    error, trust = errors(network, pairs)
    least, winner = error.min(1)
    right = functional.cross_entropy(trust, winner)
    return (1 - _SHARED) * least.mean() + _SHARED * error.mean() + 0.1 * right
