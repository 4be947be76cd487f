"""What SDVAE, OP3 and SSM share: slots inferred by iterative amortised inference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from armillary.errors import ArmillaryError
from armillary.world_models.blocks.broadcast_decoder import SpatialBroadcastDecoder
from armillary.world_models.blocks.discovery import Discovery, Start, discover
from armillary.world_models.blocks.gaussian import mixture_nll, to_std
from armillary.world_models.blocks.geco import Geco
from armillary.world_models.blocks.initialisation import initialise
from armillary.world_models.blocks.noise import GlobalNoise, Noise, SharedNoise, shared_draws
from armillary.world_models.blocks.pairwise_dynamics import Memory, PairwiseDynamics
from armillary.world_models.blocks.refinement import RefinementNetwork
from armillary.world_models.blocks.schedule import expand
from armillary.world_models.model import Losses, Window, WorldModel
from armillary.world_models.state import LatentState, Scene

_Prediction = tuple[Tensor, Tensor, Tensor]
_VARIANCE = ("dynamics.scale.",)
_MOST_ROUNDS = 256


@dataclass(frozen=True)
class SlotBelief(LatentState):
    """Slots of N scenes.

    Attributes:
        latents: (N, K, Z) a sample or the mean of each slot's distribution.
        memory: (N, K, M) what the dynamics remember; OP3 decodes it too.
    """

    latents: Tensor
    memory: Tensor


@dataclass(frozen=True)
class Frame:
    """What a pass computed of one frame; N clips, K slots.

    Attributes:
        state: after the frame; of all S rollouts, (N S, ...), where ``U`` imagined it.
        means: (N, K, 3, H, W) components, of the best rollout where several were imagined.
        log_masks: (N, K, 1, H, W).
        posterior: (N, K, 2 Z) location and raw scale after the last refinement; None unless ``I``.
        prior_scale: (N, K, Z) raw scale that the dynamics predicted; None at the first frame and
            where ``U`` imagined it.
    """

    state: SlotBelief
    means: Tensor
    log_masks: Tensor
    posterior: Tensor | None = None
    prior_scale: Tensor | None = None


@dataclass(frozen=True)
class Pass:
    """A clip gone through under a schedule: its loss, and every frame for those who look."""

    losses: Losses
    frames: Sequence[Frame]


class IterativeSlotModel(WorldModel[SlotBelief]):
    """A stochastic object-centric model: refinement finds slots, pairwise dynamics move them.

    A clip is gone through under a schedule of one symbol per frame:
        I: discovery. The posterior is refined from the dynamics' prediction, or from a learned
            start, by a network that sees the gradients of the loss (Greff et al. 2019).
        D: one sample of the prior is decoded.
        BMS: S samples of the prior are decoded and the likeliest goes on.
        U: S whole rollouts, of which the likeliest counts (Bhattacharyya et al. 2018).

    An objective is a schedule: its last symbol repeats until the clip ends, and one symbol alone
    comes after a context of I. Actions enter as they are, with noise: their normalisation is not
    used, as published.

    Args:
        image_size: H = W, a multiple of 4.
        action_size: A, 0 for action-free video.
        num_slots: K.
        context_length: C.
        latent_size: Z.
        conv_channels: width of the decoder's and the refinement's convolutions.
        lstm_hidden: width of the refinement's LSTM.
        iterations: rounds of inference at the first frame, the second, and so on; the last counts
            for all later ones.
        rollouts: S.
        action_noise: standard deviation of the noise on actions, in their units.
        background_std: of the first slot's pixels.
        foreground_std: of all other slots' pixels.
        kl_beta: weight of the KL divergence.
        geco_target: greatest negative log-likelihood of a frame.
        geco_warm_start: steps before the target counts.
        geco_step_size: of GECO's multiplier.
        weight_gain: of the initial weights.
        initial_scale: raw scale of the first posterior (see ``to_std``), from where it is learned;
            the less it is, the sooner latents say something, and the less slots differ.
        objective: what a training stage minimises that names none: ``U`` makes SDVAE the paper's
            SDVAE-DaVOS.
        slot_ordered: as in the authors' code, see ``PairwiseDynamics``.
    """

    objectives = ("D", "U", "BMS", "I")
    memory: ClassVar[Memory] = "history"
    separate_variances: ClassVar[bool] = True

    def __init__(
        self,
        *,
        image_size: int,
        action_size: int,
        num_slots: int = 6,
        context_length: int = 2,
        latent_size: int = 64,
        conv_channels: int = 32,
        lstm_hidden: int = 128,
        iterations: Sequence[int] = (4, 2),
        rollouts: int = 10,
        action_noise: float = 0.05,
        background_std: float = 0.09,
        foreground_std: float = 0.11,
        kl_beta: float = 1.0,
        geco_target: float = -25500.0,
        geco_warm_start: int = 3000,
        geco_step_size: float = 1e-6,
        weight_gain: float = 0.02,
        initial_scale: float = 1.0,
        objective: str = "D",
        slot_ordered: bool = False,
    ) -> None:
        super().__init__(
            image_size=image_size,
            action_size=action_size,
            context_length=context_length,
            num_slots=num_slots,
            slot_size=latent_size,
            noise_shape=(action_size + num_slots * latent_size,),
        )
        if image_size % 4:
            raise ArmillaryError(f"image_size must be a multiple of 4, got {image_size}")
        if num_slots < 2:
            raise ArmillaryError(f"num_slots must be at least 2, got {num_slots}")
        if not iterations or not all(1 <= rounds <= _MOST_ROUNDS for rounds in iterations):
            raise ArmillaryError(
                f"iterations must be a list of numbers in 1..{_MOST_ROUNDS}, got {iterations}"
            )
        if rollouts < 1:
            raise ArmillaryError(f"rollouts must be at least 1, got {rollouts}")
        self.prefer_objective(objective)
        self.latent_size = latent_size
        self.iterations = tuple(iterations)
        self.rollouts = rollouts
        self.action_noise = action_noise
        self.kl_beta = kl_beta
        loc, scale = torch.zeros(latent_size), torch.full((latent_size,), float(initial_scale))
        self.initial = nn.Parameter(torch.cat([loc, scale]))
        self.refinement = RefinementNetwork(latent_size, image_size, conv_channels, lstm_hidden)
        self.dynamics = PairwiseDynamics(
            latent_size, action_size, self.memory, num_slots, slot_ordered
        )
        decoded = latent_size + (self.dynamics.memory_size if self.memory == "recurrent" else 0)
        self.decoder = SpatialBroadcastDecoder(decoded, image_size, conv_channels)
        self.geco = Geco(geco_target, geco_warm_start, step_size=geco_step_size)
        self.log_std: Tensor
        log_std = [math.log(background_std)] + [math.log(foreground_std)] * (num_slots - 1)
        self.register_buffer("log_std", torch.tensor(log_std), persistent=False)
        self.draws: Tensor
        first, *others = self.iterations
        draws = shared_draws(first + [*others, first][0], num_slots, latent_size)
        self.register_buffer("draws", draws, persistent=False)
        for part in (self.refinement, self.dynamics, self.decoder):
            initialise(part, weight_gain)

    def observe(self, state: SlotBelief | None, action: Tensor, frame: Tensor) -> SlotBelief:
        """See the contract; the mean of every posterior, refined with the same draws each time.

        The second number of ``iterations`` counts for all frames after the first.
        """
        prior = None if state is None else self.predict(state, action)
        drawn = self.draws if state is None else self.draws[self.iterations[0] :]
        noise = SharedNoise(drawn)
        weight = self.geco.weight(self.geco.steps)
        found, seen = self._discover(frame, prior, int(state is not None), weight, noise)
        # The copy leaves the graph of the inference behind where the caller wants none.
        return replace(seen, latents=found.posterior.chunk(2, -1)[0].clone())

    def predict(self, state: SlotBelief, action: Tensor) -> _Prediction:
        """The dynamics: location and raw scale (N, K, Z) of the next slots, and their memory.

        Args:
            state: N states.
            action: (N, A), its noise included.
        """
        return self.dynamics(state.latents, state.memory, action)

    def step(self, state: SlotBelief, action: Tensor, noise: Tensor | None = None) -> SlotBelief:
        """See the contract; ``noise`` is that of the action, then that of the slots."""
        if noise is None:
            loc, _, memory = self.predict(state, action)
            return SlotBelief(loc, memory)
        on_action, on_slots = noise.split([self.action_size, noise.shape[1] - self.action_size], 1)
        disturbed = action + self.action_noise * on_action
        return self._imagine(state, disturbed, on_slots.view_as(state.latents))

    def slots(self, state: SlotBelief) -> Tensor:
        """(..., K, Z)."""
        return state.latents

    def decode(self, state: SlotBelief) -> Scene:
        """See the contract."""
        means, log_masks = self.components(state)
        return Scene(means, log_masks.exp())

    def components(self, state: SlotBelief) -> tuple[Tensor, Tensor]:
        """Means (N, K, 3, H, W) and log-probabilities of the masks (N, K, 1, H, W)."""
        latents = state.latents
        if self.memory == "recurrent":
            latents = torch.cat([latents, state.memory], -1)
        decoded = self.decoder(latents.flatten(0, 1)).unflatten(0, latents.shape[:2])
        return torch.sigmoid(decoded[:, :, :-1]), decoded[:, :, -1:].log_softmax(1)

    def log_likelihood(self, scene: Scene, frames: Tensor) -> Tensor:
        """See the contract; the mixture that the model is trained with."""
        log_masks = scene.masks.clamp_min(torch.finfo(scene.masks.dtype).tiny).log()
        nll = mixture_nll(frames, scene.components, log_masks, self.log_std)
        return -nll - 0.5 * math.log(2 * math.pi) * frames[0].numel()

    def check_objective(self, objective: str) -> None:
        """See the contract; any schedule is an objective."""
        expand(objective, self.context_length, self.context_length + 1)

    def trainable(self, objective: str) -> list[nn.Parameter]:
        """See the contract; discovery alone reads no variance of the dynamics but OP3's."""
        self.check_objective(objective)
        unread = () if set(objective) != {"I"} or not self.separate_variances else _VARIANCE
        return [p for name, p in self.named_parameters() if not name.startswith(unread)]

    def loss(self, window: Window, objective: str, step: int | Tensor) -> Losses:
        """See the contract."""
        schedule = expand(objective, self.context_length, window.length)
        return self.follow(window.frames, window.actions, schedule, step, GlobalNoise()).losses

    def set_target(self, target: float) -> None:
        """See the contract."""
        self.geco.target.fill_(target)

    def finish_step(self, terms: Mapping[str, Tensor], step: int | Tensor) -> None:
        """See the contract."""
        self.geco.finish_step(terms["frame_nll"], step)

    def follow(
        self,
        frames: Tensor,
        actions: Tensor,
        schedule: Sequence[str],
        step: int | Tensor,
        noise: Noise,
    ) -> Pass:
        """Goes through clips under a schedule.

        Args:
            frames: (N, T, 3, H, W) float32 in [0, 1].
            actions: (N, T - 1, A).
            schedule: T symbols, see the class.
            step: optimiser steps done so far.
            noise: asked, frame by frame, for that of the action and then for that of the slots.
        """
        total, nll, kl = (frames.new_zeros(()) for _ in range(3))
        weight = self.geco.weight(step)
        seen: list[Frame] = []
        state: SlotBelief | None = None
        for t, symbol in enumerate(schedule):
            frame = frames[:, t]
            if state is not None and symbol == "U":
                imagined, best = self._best_of_many(
                    state, frames[:, t:], actions[:, t - 1 :], noise
                )
                total = total + self.geco.loss(best, step, len(imagined))
                nll = nll + best.detach()
                seen += imagined
                break
            prior = None
            if state is not None:
                prior = self.predict(state, self._disturb(actions[:, t - 1], 1, noise))
            scale = None if prior is None else prior[1]
            if symbol == "I":
                found, state = self._discover(frame, prior, t, weight, noise)
                for i, (of_frame, divergence) in enumerate(found.losses, 1):
                    loss = self.kl_beta * divergence.mean() + self.geco.loss(of_frame.mean(), step)
                    total = total + i / len(found.losses) * loss
                of_frame, divergence = (loss.mean().detach() for loss in found.losses[-1])
                nll, kl = nll + of_frame, kl + divergence
                seen.append(Frame(state, found.means, found.log_masks, found.posterior, scale))
            else:
                assert prior is not None, "the first symbol of a schedule is I"
                state = self._sample(frame, prior, self.rollouts if symbol == "BMS" else 1, noise)
                means, log_masks = self.components(state)
                of_frame = mixture_nll(frame, means, log_masks, self.log_std).mean()
                total, nll = total + self.geco.loss(of_frame, step), nll + of_frame.detach()
                seen.append(Frame(state, means, log_masks, prior_scale=scale))
        terms = {"nll": nll, "kl": kl, "frame_nll": nll / len(schedule)}
        return Pass(Losses(total, terms), seen)

    def _discover(
        self, frame: Tensor, prior: _Prediction | None, t: int, weight: Tensor, noise: Noise
    ) -> tuple[Discovery, SlotBelief]:
        """Infers the slots of the frames (N, 3, H, W) at time t, from what ``predict`` said."""
        shape = (frame.shape[0], self.num_slots, self.latent_size)
        static = self.initial[self.latent_size :].expand(shape)
        if prior is None:
            memory = frame.new_zeros(*shape[:2], self.dynamics.memory_size)
            posterior = torch.cat([self.initial[: self.latent_size].expand(shape), static], -1)
            start = Start(posterior, frame.new_zeros(shape), frame.new_ones(shape))
        else:
            loc, scale, memory = prior
            scale = static if self.separate_variances else scale
            start = Start(torch.cat([loc, scale], -1), loc, to_std(scale))

        def explain(latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            means, log_masks = self.components(SlotBelief(latents, memory))
            return means, log_masks, mixture_nll(frame, means, log_masks, self.log_std)

        found = discover(
            self.refinement,
            explain,
            frame,
            start,
            self.iterations[min(t, len(self.iterations) - 1)],
            weight=weight,
            kl_beta=self.kl_beta,
            noise=noise,
        )
        return found, SlotBelief(found.latents, memory)

    def _sample(self, frame: Tensor, prior: _Prediction, samples: int, noise: Noise) -> SlotBelief:
        """The likeliest of several samples of a prior, (N, ...)."""
        loc, scale, memory = prior
        drawn = noise.latent((len(loc), samples, *loc.shape[1:]), loc)
        latents = loc.unsqueeze(1) + to_std(scale).unsqueeze(1) * drawn
        if samples == 1:
            return SlotBelief(latents.squeeze(1), memory)
        with torch.no_grad():
            candidates = SlotBelief(latents.flatten(0, 1), memory.repeat_interleave(samples, 0))
            best = self._nll(candidates, frame.repeat_interleave(samples, 0)).view(-1, samples)
        rows = torch.arange(len(loc), device=loc.device)
        return SlotBelief(latents[rows, best.argmin(1)], memory)

    def _best_of_many(
        self, state: SlotBelief, frames: Tensor, actions: Tensor, noise: Noise
    ) -> tuple[list[Frame], Tensor]:
        """Rolls out S times over T frames; gradients flow through the likeliest rollout alone.

        The others are imagined without a graph, and the likeliest again with one, from the same
        noise: a tenth of the memory of keeping all of them.

        Returns:
            The frames, and the mean over clips of the best rollout's negative log-likelihood.
        """
        count, samples = len(frames), self.rollouts
        size = (count, samples, self.num_slots, self.latent_size)
        drawn: list[tuple[Tensor, Tensor]] = []
        states: list[SlotBelief] = []
        nlls = frames.new_zeros(count, samples)
        with torch.no_grad():
            many = state.repeat(samples)
            for t in range(frames.shape[1]):
                action = self._disturb(actions[:, t], samples, noise)
                latent = noise.latent(size, frames).flatten(0, 1)
                drawn.append((action, latent))
                many = self._imagine(many, action, latent)
                states.append(many)
                if samples > 1:
                    nll = self._nll(many, frames[:, t].repeat_interleave(samples, 0))
                    nlls += nll.view(count, samples)
        rows = nlls.argmin(1) + samples * torch.arange(count, device=nlls.device)
        best, imagined = frames.new_zeros(()), []
        for t, (action, latent) in enumerate(drawn):
            state = self._imagine(state, action[rows], latent[rows])
            means, log_masks = self.components(state)
            best = best + mixture_nll(frames[:, t], means, log_masks, self.log_std).mean()
            imagined.append(Frame(states[t], means, log_masks))
        return imagined, best

    def _imagine(self, state: SlotBelief, action: Tensor, latent: Tensor) -> SlotBelief:
        """One step under a disturbed action (N, A) and the slots' noise (N, K, Z)."""
        loc, scale, memory = self.predict(state, action)
        return SlotBelief(loc + to_std(scale) * latent, memory)

    def _disturb(self, action: Tensor, samples: int, noise: Noise) -> Tensor:
        """Actions (N, A) with noise of their own for each of several samples, (N * samples, A)."""
        repeated = action.repeat_interleave(samples, 0)
        if not (self.action_size and self.action_noise):
            return repeated
        drawn = noise.action((len(action), samples, self.action_size), action)
        return repeated + self.action_noise * drawn.flatten(0, 1)

    def _nll(self, state: SlotBelief, frames: Tensor) -> Tensor:
        """(N,) negative log-likelihood of frames (N, 3, H, W)."""
        return mixture_nll(frames, *self.components(state), self.log_std)
