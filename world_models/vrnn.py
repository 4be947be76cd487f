"""vrnn: one stochastic latent for the whole frame (Chung et al. 2015)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from armillary.world_models.blocks.broadcast_decoder import SpatialBroadcastDecoder
from armillary.world_models.blocks.gated_encoder import GatedEncoder
from armillary.world_models.blocks.gaussian import gaussian_nll, kl_divergence, to_std
from armillary.world_models.blocks.geco import Geco
from armillary.world_models.blocks.initialisation import initialise
from armillary.world_models.blocks.noise import GlobalNoise, Noise
from armillary.world_models.model import Losses, Window, WorldModel
from armillary.world_models.registry import register_model
from armillary.world_models.state import LatentState, Scene


@dataclass(frozen=True)
class RecurrentBelief(LatentState):
    """What the VRNN remembers of N videos.

    Attributes:
        latent: (N, Z).
        frame: (N, 3, H, W) what it decodes to; the open loop sees its own frames.
        hidden: (N, hidden) of the LSTM, after the frame.
        cell: (N, hidden) of the LSTM, after the frame.
    """

    latent: Tensor
    frame: Tensor
    hidden: Tensor
    cell: Tensor


@dataclass(frozen=True)
class Gaussian:
    """A distribution of latents: location and standard deviation, (N, Z) each."""

    loc: Tensor
    std: Tensor


class GaussianHead(nn.Module):
    """Two hidden layers, then location and raw scale.

    Args:
        inputs: width of the input.
        hidden: width of the layers.
        latent_size: Z.
    """

    def __init__(self, inputs: int, hidden: int, latent_size: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden), nn.ELU(), nn.Linear(hidden, hidden), nn.ELU()
        )
        self.loc = nn.Linear(hidden, latent_size)
        self.scale = nn.Linear(hidden, latent_size)

    def forward(self, *inputs: Tensor) -> Gaussian:
        """Concatenates (N, ...) inputs."""
        features = self.layers(torch.cat(inputs, -1))
        return Gaussian(self.loc(features), to_std(self.scale(features)))


@register_model("vrnn")
class Vrnn(WorldModel[RecurrentBelief]):
    """A variational recurrent network; it does not segment, so K = 1.

    Objectives:
        teacher_forced: every frame is encoded and reconstructed.
        open_loop: after the context the model is rolled out from its own prior samples and its own
            frames, and the likelihood alone counts (VRNN*).

    The first frame is reached by the window's ``previous`` action, zeros where it is not known.
    Actions enter as they are, with noise: their normalisation is not used, as published.

    Args:
        image_size: H = W.
        action_size: A, 0 for action-free video.
        context_length: C.
        latent_size: Z.
        hidden: width of the LSTM and all vectors.
        conv_channels: width of the decoder.
        action_noise: standard deviation of the noise on actions, in their units.
        pixel_std: of the likelihood.
        kl_beta: weight of the KL divergence.
        geco_target: greatest negative log-likelihood of a frame.
        geco_warm_start: steps before the target counts.
        geco_step_size: of GECO's multiplier.
        weight_gain: of the initial weights.
        objective: what a training stage minimises that names none: ``open_loop`` makes it VRNN*.
    """

    objectives = ("teacher_forced", "open_loop")
    steps_decode = True

    def __init__(
        self,
        *,
        image_size: int,
        action_size: int,
        context_length: int = 2,
        latent_size: int = 64,
        hidden: int = 256,
        conv_channels: int = 32,
        action_noise: float = 0.05,
        pixel_std: float = 0.3,
        kl_beta: float = 1.0,
        geco_target: float = -14500.0,
        geco_warm_start: int = 1000,
        geco_step_size: float = 1e-6,
        weight_gain: float = 0.02,
        objective: str = "teacher_forced",
    ) -> None:
        super().__init__(
            image_size=image_size,
            action_size=action_size,
            context_length=context_length,
            num_slots=1,
            slot_size=latent_size + hidden,
            noise_shape=(action_size + latent_size,),
        )
        self.prefer_objective(objective)
        self.latent_size = latent_size
        self.action_noise = action_noise
        self.pixel_std = pixel_std
        self.kl_beta = kl_beta
        self.frame_encoder = GatedEncoder(image_size, hidden)
        self.latent_encoder = nn.Sequential(
            nn.Linear(latent_size, hidden), nn.ELU(), nn.Linear(hidden, hidden), nn.ELU()
        )
        self.posterior = GaussianHead(action_size + 2 * hidden, hidden, latent_size)
        self.prior = GaussianHead(action_size + hidden, hidden, latent_size)
        self.decoder = SpatialBroadcastDecoder(2 * hidden, image_size, conv_channels)
        self.lstm = nn.LSTMCell(2 * hidden, hidden)
        self.geco = Geco(geco_target, geco_warm_start, step_size=geco_step_size)
        initialise(self, weight_gain)

    def observe(
        self, state: RecurrentBelief | None, action: Tensor, frame: Tensor
    ) -> RecurrentBelief:
        """See the contract; takes the mean of every posterior."""
        state = self._start(frame) if state is None else state
        features = self.frame_encoder(frame)
        posterior = self.posterior(action, features, state.hidden)
        return self._proceed(state, posterior.loc, features)

    def step(
        self, state: RecurrentBelief, action: Tensor, noise: Tensor | None = None
    ) -> RecurrentBelief:
        """See the contract; ``noise`` is that of the action, then that of the latent."""
        if noise is None:
            return self._proceed(state, self.prior(action, state.hidden).loc)
        on_action, on_latent = noise.split([self.action_size, self.latent_size], 1)
        prior = self.prior(action + self.action_noise * on_action, state.hidden)
        return self._proceed(state, prior.loc + prior.std * on_latent)

    def slots(self, state: RecurrentBelief) -> Tensor:
        """(..., 1, Z + hidden): the latent and the LSTM's output."""
        return torch.cat([state.latent, state.hidden], -1).unsqueeze(-2)

    def decode(self, state: RecurrentBelief) -> Scene:
        """See the contract; the frame is part of the state."""
        frames = state.frame.unsqueeze(-4)
        return Scene(frames, torch.ones_like(frames[..., :1, :, :]))

    def set_target(self, target: float) -> None:
        """See the contract."""
        self.geco.target.fill_(target)

    def finish_step(self, terms: Mapping[str, Tensor], step: int | Tensor) -> None:
        """See the contract."""
        self.geco.finish_step(terms["frame_nll"], step)

    def loss(self, window: Window, objective: str, step: int | Tensor) -> Losses:
        """See the contract."""
        self.check_objective(objective)
        forced = self.context_length if objective == "open_loop" else window.length
        return self.follow(window, forced, step, GlobalNoise())[0]

    def follow(
        self, window: Window, forced: int, step: int | Tensor, noise: Noise
    ) -> tuple[Losses, Sequence[RecurrentBelief]]:
        """Goes through clips, of which the first ``forced`` frames are shown.

        Args:
            window: N clips of T frames.
            forced: frames that are encoded and reconstructed; those after them are imagined.
            step: optimiser steps done so far.
            noise: asked, frame by frame, for that of the action and then for that of the latent.

        Returns:
            The loss, and the state after every frame.
        """
        frames = window.frames
        actions = torch.cat([self._first_action(window), window.actions], 1)
        total, nll, kl = (frames.new_zeros(()) for _ in range(3))
        state, states = self._start(frames[:, 0]), []
        for t in range(window.length):
            action = self._disturb(actions[:, t], noise)
            prior = self.prior(action, state.hidden)
            if t < forced:
                features = self.frame_encoder(frames[:, t])
                posterior = self.posterior(action, features, state.hidden)
                state = self._proceed(state, _sample(posterior, noise), features)
                divergence = kl_divergence(posterior.loc, posterior.std, prior.loc, prior.std)
                divergence = divergence.sum(-1).mean()
                total, kl = total + self.kl_beta * divergence, kl + divergence.detach()
            else:
                state = self._proceed(state, _sample(prior, noise))
            of_frame = gaussian_nll(frames[:, t], state.frame, math.log(self.pixel_std)).mean()
            total, nll = total + self.geco.loss(of_frame, step), nll + of_frame.detach()
            states.append(state)
        return Losses(total, {"nll": nll, "kl": kl, "frame_nll": nll / window.length}), states

    def _first_action(self, window: Window) -> Tensor:
        """(N, 1, A): what led to the first frame."""
        if window.previous is None:
            return window.frames.new_zeros(len(window.frames), 1, self.action_size)
        return window.previous.unsqueeze(1)

    def _start(self, frame: Tensor) -> RecurrentBelief:
        """Before the first frame (N, 3, H, W)."""
        hidden = frame.new_zeros(frame.shape[0], self.lstm.hidden_size)
        latent = frame.new_zeros(frame.shape[0], self.latent_size)
        return RecurrentBelief(latent, torch.zeros_like(frame), hidden, hidden)

    def _proceed(
        self, state: RecurrentBelief, latent: Tensor, features: Tensor | None = None
    ) -> RecurrentBelief:
        """Decodes a latent (N, Z) and moves on.

        ``features`` (N, hidden) are those of the frame that is seen, by default of the decoded one.
        """
        embedded = self.latent_encoder(latent)
        decoded = self.decoder(torch.cat([embedded, state.hidden], -1))
        frame = torch.sigmoid(decoded[:, :-1])
        seen: Tensor = self.frame_encoder(frame) if features is None else features
        hidden, cell = self.lstm(torch.cat([seen, embedded], -1), (state.hidden, state.cell))
        return RecurrentBelief(latent, frame, hidden, cell)

    def _disturb(self, action: Tensor, noise: Noise) -> Tensor:
        if not (self.action_size and self.action_noise):
            return action
        return action + self.action_noise * noise.action(tuple(action.shape), action)


def _sample(distribution: Gaussian, noise: Noise) -> Tensor:
    loc = distribution.loc
    return loc + distribution.std * noise.latent(tuple(loc.shape), loc)
