"""A world model of two linear maps: frames to a latent vector, which actions move, and back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from armillary import LatentState, Losses, Scene, Window, WorldModel, register_model


@dataclass(frozen=True)
class LinearState(LatentState):
    """What the model remembers.

    Attributes:
        latent: (N, D).
    """

    latent: Tensor


@register_model("example_plugin")
class LinearModel(WorldModel):
    """Sees every scene as one slot.

    Args:
        image_size: H = W of the frames in pixels.
        action_size: A.
        latent_size: D.
        noise: standard deviation of a step, in units of the latent vector.
    """

    def __init__(
        self, *, image_size: int, action_size: int, latent_size: int = 32, noise: float = 0.01
    ) -> None:
        super().__init__(
            image_size=image_size,
            action_size=action_size,
            context_length=1,
            num_slots=1,
            slot_size=latent_size,
            noise_shape=(latent_size,),
        )
        self.noise = noise
        self.encoder = nn.Linear(3 * image_size**2, latent_size)
        self.decoder = nn.Linear(latent_size, 3 * image_size**2)
        self.dynamics = nn.Sequential(
            nn.Linear(latent_size + action_size, 64), nn.Tanh(), nn.Linear(64, latent_size)
        )

    def observe(self, state: LatentState | None, action: Tensor, frame: Tensor) -> LinearState:
        """See ``WorldModel``: every frame is encoded by itself."""
        return LinearState(self.encoder(frame.flatten(1)))

    def step(self, state: LatentState, action: Tensor, noise: Tensor | None = None) -> LinearState:
        """See ``WorldModel``."""
        latent = state.tensors()["latent"]
        push = self.normalise_action(action)
        following = latent + self.dynamics(torch.cat([latent, push], -1))
        return LinearState(following if noise is None else following + self.noise * noise)

    def slots(self, state: LatentState) -> Tensor:
        """See ``WorldModel``."""
        return state.tensors()["latent"].unsqueeze(1)

    def decode(self, state: LatentState) -> Scene:
        """See ``WorldModel``."""
        pixels = self.decoder(state.tensors()["latent"]).sigmoid()
        frames = pixels.view(-1, 1, 3, self.image_size, self.image_size)
        return Scene(frames, torch.ones_like(frames[:, :, :1]))

    def loss(self, window: Window, objective: str, step: int | Tensor) -> Losses:
        """See ``WorldModel``: frames are seen again, and foreseen from the first one."""
        self.check_objective(objective)
        states = self.filter(window.frames, window.actions)
        imagined = self.rollout(states.map(lambda tensor: tensor[:, 0]), window.actions)
        seen = self._error(states, window.frames)
        foreseen = self._error(imagined, window.frames[:, 1:])
        terms = {"seen": seen.detach(), "foreseen": foreseen.detach()}
        return Losses(seen + foreseen, terms)

    def _error(self, states: LatentState, frames: Tensor) -> Tensor:
        return functional.mse_loss(self.decode(states.flatten(2)).frames, frames.flatten(0, 1))
