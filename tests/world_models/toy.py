"""A world model of a few hundred parameters that has every feature the trainer must serve."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from armillary.world_models.model import Losses, Window, WorldModel
from armillary.world_models.registry import register_model
from armillary.world_models.state import LatentState, Scene


@dataclass(frozen=True)
class ToyState(LatentState):
    """Two slot vectors, (N, K, D)."""

    slots: Tensor


NAME = "toy"


@register_model(NAME)
class ToyModel(WorldModel):
    """Two slots, recurrent filtering, stochastic dynamics, one joint and two staged objectives."""

    objectives = ("joint", "discover", "dynamics")

    def __init__(
        self,
        *,
        image_size: int = 8,
        action_size: int = 2,
        context_length: int = 2,
        slot_size: int = 3,
        noise_scale: float = 0.1,
    ) -> None:
        super().__init__(
            image_size=image_size,
            action_size=action_size,
            context_length=context_length,
            num_slots=2,
            slot_size=slot_size,
            noise_shape=(2, slot_size),
        )
        self.noise_scale = noise_scale
        self.encoder = nn.Linear(3 * 4 * 4, 2 * slot_size)
        self.decoder = nn.Sequential(nn.Linear(slot_size + 2, 8), nn.Tanh(), nn.Linear(8, 4))
        self.dynamics = nn.Linear(slot_size + action_size, slot_size)
        self.gate = nn.Parameter(torch.zeros(()))

    def observe(self, state: LatentState | None, action: Tensor, frame: Tensor) -> ToyState:
        seen = self.encoder(functional.adaptive_avg_pool2d(frame, 4).flatten(1))
        seen = seen.unflatten(1, (2, -1))
        if state is None:
            return ToyState(seen)
        return ToyState(torch.lerp(seen, state.tensors()["slots"], self.gate.sigmoid().to(seen)))

    def step(self, state: LatentState, action: Tensor, noise: Tensor | None = None) -> ToyState:
        slots = state.tensors()["slots"]
        push = self.normalise_action(action).unsqueeze(1).expand(-1, 2, -1)
        following = slots + self.dynamics(torch.cat([slots, push], -1))
        return ToyState(following if noise is None else following + self.noise_scale * noise)

    def slots(self, state: LatentState) -> Tensor:
        return state.tensors()["slots"]

    def decode(self, state: LatentState) -> Scene:
        slots = state.tensors()["slots"]
        line = torch.linspace(-1, 1, self.image_size, device=slots.device)
        grid = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1)
        grid = grid.expand(*slots.shape[:2], *grid.shape)
        spread = slots[:, :, None, None].expand(*grid.shape[:-1], -1)
        pixels = self.decoder(torch.cat([spread, grid], -1)).movedim(-1, 2)
        return Scene(pixels[:, :, :3].sigmoid(), pixels[:, :, 3:].softmax(1))

    def loss(self, window: Window, objective: str, step: int) -> Losses:
        self.check_objective(objective)
        states = self.filter(window.frames, window.actions)
        if objective == "dynamics":
            return self.latent_loss(states.detach(), window.actions, objective, step)
        frames = self.decode(states.flatten(2)).frames
        reconstruction = functional.mse_loss(frames, window.frames.flatten(0, 1))
        if objective == "discover":
            return Losses(reconstruction, {"reconstruction": reconstruction.detach()})
        latent = self.latent_loss(states, window.actions, "dynamics", step)
        return Losses(reconstruction + latent.total, {"reconstruction": reconstruction.detach()})

    def latent_loss(
        self, states: LatentState, actions: Tensor, objective: str, step: int
    ) -> Losses:
        if objective != "dynamics":
            return super().latent_loss(states, actions, objective, step)
        slots = states.tensors()["slots"]
        noise = torch.randn(*actions.shape[:2], *self.noise_shape, device=actions.device)
        imagined = self.rollout(ToyState(slots[:, 0]), actions, noise)
        error = functional.mse_loss(imagined.tensors()["slots"], slots[:, 1:])
        return Losses(error, {"dynamics": error.detach()})

    def trainable(self, objective: str) -> list[nn.Parameter]:
        self.check_objective(objective)
        discover = [*self.encoder.parameters(), *self.decoder.parameters(), self.gate]
        dynamics = list(self.dynamics.parameters())
        return {
            "joint": discover + dynamics,
            "discover": discover,
            "dynamics": dynamics,
        }[objective]
