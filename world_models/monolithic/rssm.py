"""rssm: the recurrent state-space model of PlaNet and Dreamer, one latent for the whole frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from armillary.errors import ArmillaryError
from armillary.suggestions import suggest
from armillary.world_models.model import Losses, Window, WorldModel, check_ensemble
from armillary.world_models.monolithic.convolutions import growing, shrinking
from armillary.world_models.monolithic.latents import CategoricalLatents, GaussianLatents, Latents
from armillary.world_models.registry import register_model
from armillary.world_models.state import LatentState, Scene

_SIDE = 4
_LATENTS: dict[str, Callable[[int, int], Latents]] = {
    "gaussian": lambda size, classes: GaussianLatents(size),
    "categorical": CategoricalLatents,
}


@dataclass(frozen=True)
class RecurrentState(LatentState):
    """What the model remembers of N videos.

    Attributes:
        memory: (N, H) deterministic, of the GRU.
        latent: (N, Z) stochastic.
    """

    memory: Tensor
    latent: Tensor


@register_model("rssm")
class Rssm(WorldModel[RecurrentState]):
    """A recurrent state-space model; it does not segment, so K = 1.

    As in PlaNet (Hafner et al. 2019, 1811.04551) a GRU carries a deterministic memory, which the
    last latent and the action move; a prior guesses the latent from the memory, a posterior from
    memory and frame; the frame is decoded from both. The divergence of the two is trained as in
    Dreamer (1912.01603; DreamerV3, 2301.04104, eq. 5): the prior is drawn to the posterior more
    than the reverse, and what lies below ``free_nats`` is free. Rewards are not modelled: the goal
    of a plan is an image.

    Args:
        image_size: H = W, 8, 16, 32, ...
        action_size: A, 0 for action-free video.
        context_length: C.
        memory_size: H.
        latents: ``gaussian`` or ``categorical``.
        latent_size: numbers of a Gaussian latent, or groups of a categorical one.
        classes: of each group of a categorical latent.
        hidden: width of the layers between.
        conv_channels: of the first convolution, and the last.
        pixel_std: standard deviation of the pixel likelihood.
        kl_prior: weight of the divergence by which the prior learns.
        kl_posterior: weight of the divergence by which the posterior learns.
        free_nats: divergence of a step that costs nothing.
        ensemble: M, priors that share the memory and all else; see ``slot_dynamics``.
    """

    def __init__(
        self,
        *,
        image_size: int,
        action_size: int,
        context_length: int = 2,
        memory_size: int = 200,
        latents: str = "gaussian",
        latent_size: int = 32,
        classes: int = 32,
        hidden: int = 200,
        conv_channels: int = 16,
        pixel_std: float = 0.1,
        kl_prior: float = 1.0,
        kl_posterior: float = 0.1,
        free_nats: float = 1.0,
        ensemble: int = 1,
    ) -> None:
        if latents not in _LATENTS:
            raise ArmillaryError(f"unknown latents {latents!r}; {suggest(latents, _LATENTS)}")
        check_ensemble(ensemble)
        family = _LATENTS[latents](latent_size, classes)
        super().__init__(
            image_size=image_size,
            action_size=action_size,
            context_length=context_length,
            num_slots=1,
            slot_size=memory_size + family.size,
            noise_shape=family.noise_shape,
        )
        self.latents = family
        self.pixel_std = pixel_std
        self.kl_prior = kl_prior
        self.kl_posterior = kl_posterior
        self.free_nats = free_nats
        seeing, top = shrinking(image_size, _SIDE, conv_channels)
        features = top * _SIDE**2
        self.encoder = nn.Sequential(seeing, nn.Flatten())
        self.embed = nn.Sequential(nn.Linear(family.size + action_size, hidden), nn.ELU())
        self.memory = nn.GRUCell(hidden, memory_size)
        self.prior = _head(memory_size, hidden, family.parameters)
        self.posterior = _head(memory_size + features, hidden, family.parameters)
        showing, top = growing(image_size, _SIDE, conv_channels)
        self.decoder = nn.Sequential(
            nn.Linear(memory_size + family.size, top * _SIDE**2),
            nn.Unflatten(1, (top, _SIDE, _SIDE)),
            showing,
        )
        others = (_head(memory_size, hidden, family.parameters) for _ in range(ensemble - 1))
        self.siblings = nn.ModuleList(others)

    @property
    def members(self) -> Sequence[Rssm]:
        """See the contract."""
        return self.exchanging("prior", self.siblings)

    def observe(
        self, state: RecurrentState | None, action: Tensor, frame: Tensor
    ) -> RecurrentState:
        """See the contract; takes the mean of every posterior."""
        memory = self._remember(self._start(frame) if state is None else state, action)
        raw = self.posterior(torch.cat([memory, self.encoder(frame)], -1))
        return RecurrentState(memory, self.latents.draw(raw, None))

    def step(
        self, state: RecurrentState, action: Tensor, noise: Tensor | None = None
    ) -> RecurrentState:
        """See the contract; ``noise`` is that of the prior."""
        memory = self._remember(state, action)
        return RecurrentState(memory, self.latents.draw(self.prior(memory), noise))

    def slots(self, state: RecurrentState) -> Tensor:
        """(..., 1, H + Z): memory and latent."""
        return torch.cat([state.memory, state.latent], -1).unsqueeze(-2)

    def decode(self, state: RecurrentState) -> Scene:
        """See the contract."""
        frames = self.decoder(torch.cat([state.memory, state.latent], -1)).unsqueeze(1)
        return Scene(frames, torch.ones_like(frames[:, :, :1]))

    def loss(self, window: Window, objective: str, step: int | Tensor) -> Losses:
        """See the contract; every frame is encoded, and reconstructed from a sample."""
        self.check_objective(objective)
        frames = window.frames
        features = self.encoder(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        state = self._start(frames[:, 0])
        previous = window.previous
        action = frames.new_zeros(len(frames), self.action_size) if previous is None else previous
        states, priors, posteriors = [], [], []
        for t in range(window.length):
            memory = self._remember(state, window.actions[:, t - 1] if t else action)
            raw = self.posterior(torch.cat([memory, features[:, t]], -1))
            noise = torch.randn(len(raw), *self.latents.noise_shape, device=raw.device)
            state = RecurrentState(memory, self.latents.draw(raw, noise))
            states.append(state)
            priors.append([prior(memory) for prior in (self.prior, *self.siblings)])
            posteriors.append(raw)
        seen = RecurrentState.stack(states, 1).flatten(2)
        error = (self.decode(seen).frames - frames.flatten(0, 1)).square().sum((-1, -2, -3)).mean()
        prior = torch.stack([torch.stack(each, 1) for each in zip(*priors, strict=True)])
        posterior = torch.stack(posteriors, 1).expand_as(prior)
        kl = self.latents.divergence(posterior.detach(), prior)
        reverse = self.latents.divergence(posterior, prior.detach())
        total = (
            error / (2.0 * self.pixel_std**2)
            + self.kl_prior * kl.clamp_min(self.free_nats).mean()
            + self.kl_posterior * reverse.clamp_min(self.free_nats).mean()
        )
        return Losses(total, {"squared_error": error.detach(), "kl": kl.detach().mean()})

    def _start(self, frame: Tensor) -> RecurrentState:
        """Before the first frame (N, 3, H, W)."""
        count = frame.shape[0]
        memory = frame.new_zeros(count, self.memory.hidden_size)
        return RecurrentState(memory, frame.new_zeros(count, self.latents.size))

    def _remember(self, state: RecurrentState, action: Tensor) -> Tensor:
        """(N, H): the memory after an action."""
        moved = torch.cat([state.latent, self.normalise_action(action)], -1)
        return self.memory(self.embed(moved), state.memory)


def _head(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ELU(), nn.Linear(hidden, outputs))
