"""slot_dynamics: slots with a place, found by attention and moved by a relational transformer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from armillary.determinism import sampled
from armillary.errors import ArmillaryError
from armillary.world_models.blocks.glimpse_decoder import GlimpseDecoder
from armillary.world_models.blocks.initializer import FarthestPointInitializer
from armillary.world_models.blocks.relational_dynamics import RelationalDynamics
from armillary.world_models.blocks.slot_attention import SlotAttention
from armillary.world_models.model import Losses, Window, WorldModel, check_ensemble
from armillary.world_models.registry import register_model
from armillary.world_models.state import LatentState, Scene

_TOKENS = 16


@dataclass(frozen=True)
class SlotState(LatentState):
    """Slots of N scenes.

    Attributes:
        content: (N, K, Z) what each slot shows.
        position: (N, K, 2) where, x and y in [0, 1].
        motion: (N, K, 2) the position's change in the last step.
    """

    content: Tensor
    position: Tensor
    motion: Tensor


@register_model("slot_dynamics")
class SlotDynamics(WorldModel[SlotState]):
    """An object-centric world model that trains on a CPU.

    Encoder as in SAVi (Kipf et al. 2022): an *initializer* seeds the slots in the first frame, a
    *predictor* carries them to the next one and a *corrector*, slot attention in slot-centred
    frames (Biza et al. 2023), refines them. Decoder: glimpses (Eslami et al. 2016). Dynamics: a
    relational transformer that predicts the mean change of every slot and its variance.

    Two variances are kept apart, as in SDVAE (Emami et al. 2020): the *discovery* variance is a
    learned constant, used where slots are inferred; the *dynamics* variance is predicted and used
    where the future is imagined.

    Objectives:
        joint: reconstruction, KL from prediction to posterior, and imagined rollouts, together.
        discovery: reconstruction alone; trains everything but the dynamics.
        dynamics: rollouts in slot space against the posterior; trains the dynamics alone and can
            be trained on states that were encoded once.

    Args:
        image_size: 32 or another multiple of 16, in pixels.
        action_size: A.
        num_slots: K, the background included; no weight depends on it.
        context_length: C.
        content_size: Z.
        encoder_channels: width of the convolutions.
        object_extent: half the side of what one object may cover, in image widths.
        patch: cells along the side of a decoded patch.
        decoder_hidden: width of the decoder.
        dynamics_width: width of the transformer.
        dynamics_layers: its depth.
        dynamics_heads: its attention heads.
        first_iterations: attention rounds on the first frame.
        next_iterations: attention rounds on every other frame.
        predictor: ``copy`` carries slots over, ``dynamics`` steps them under the action.
        pixel_std: standard deviation of the pixel likelihood.
        position_std: discovery standard deviation of positions, in image widths.
        best_of: rollouts sampled per clip of which the best counts (Bhattacharyya et al. 2018);
            1 rolls out the mean.
        ensemble: M, dynamics that share all else. They start differently and see the same clips,
            which suffices for them to disagree; bootstraps do not help (Lakshminarayanan et al.
            2017, 1612.01474).
    """

    objectives = ("joint", "discovery", "dynamics")
    formerly_saved = ("corrector.extent", "corrector.movable", "decoder.extent")

    def __init__(
        self,
        *,
        image_size: int,
        action_size: int,
        num_slots: int,
        context_length: int = 2,
        content_size: int = 32,
        encoder_channels: int = 32,
        object_extent: float = 0.2,
        patch: int = 16,
        decoder_hidden: int = 128,
        dynamics_width: int = 64,
        dynamics_layers: int = 2,
        dynamics_heads: int = 4,
        first_iterations: int = 2,
        next_iterations: int = 1,
        predictor: str = "copy",
        pixel_std: float = 0.03,
        position_std: float = 0.01,
        best_of: int = 1,
        ensemble: int = 1,
    ) -> None:
        super().__init__(
            image_size=image_size,
            action_size=action_size,
            context_length=context_length,
            num_slots=num_slots,
            slot_size=content_size + 2,
            noise_shape=(num_slots - 1, content_size + 2),
        )
        if image_size % _TOKENS or image_size < 2 * _TOKENS:
            raise ArmillaryError(
                f"image_size must be a multiple of {_TOKENS}, at least {2 * _TOKENS}, "
                f"got {image_size}"
            )
        if num_slots < 2:
            raise ArmillaryError(
                f"num_slots must count the background and an object, got {num_slots}"
            )
        if predictor not in ("copy", "dynamics"):
            raise ArmillaryError(f"predictor must be 'copy' or 'dynamics', got {predictor!r}")
        check_ensemble(ensemble)
        self.first_iterations = first_iterations
        self.next_iterations = next_iterations
        self.predictor = predictor
        self.pixel_std = pixel_std
        self.position_std = position_std
        self.best_of = best_of
        self.object_extent = object_extent
        stride = image_size // _TOKENS
        channels = encoder_channels
        self.encoder = nn.Sequential(
            nn.Conv2d(3, channels, stride + 3, stride, padding=2),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.initializer = FarthestPointInitializer(num_slots, patch=stride)
        self.first_content = nn.Linear(channels, content_size)
        self.corrector = SlotAttention(channels, content_size, object_extent)
        self.posterior = nn.Linear(content_size, content_size)
        self.discovery_scale = nn.Parameter(torch.full((content_size,), -1.0))
        self.decoder = GlimpseDecoder(
            content_size, image_size, patch, object_extent, decoder_hidden
        )
        self.dynamics, *others = (
            RelationalDynamics(
                *(content_size, action_size, dynamics_width),
                *(dynamics_layers, dynamics_heads, object_extent),
            )
            for _ in range(ensemble)
        )
        self.siblings = nn.ModuleList(others)

    @property
    def members(self) -> Sequence[SlotDynamics]:
        """See the contract."""
        return self.exchanging("dynamics", self.siblings)

    @property
    def discovery_std(self) -> Tensor:
        """(Z,) standard deviation of an inferred content."""
        return F.softplus(self.discovery_scale) + 1e-3

    def observe(self, state: SlotState | None, action: Tensor, frame: Tensor) -> SlotState:
        """See the contract; the slots start from the last ones' prediction."""
        tokens = self.encoder(frame).flatten(2).transpose(1, 2)
        if state is None:
            return self._first(frame, tokens)
        predicted = self.step(state, action) if self.predictor == "dynamics" else state
        content, position = self._correct(
            tokens, predicted.content, predicted.position, self.next_iterations
        )
        return SlotState(content, position, position - state.position)

    def step(self, state: SlotState, action: Tensor, noise: Tensor | None = None) -> SlotState:
        """See the contract; ``noise`` is scaled by the dynamics' own standard deviation."""
        return self._step(state, action, noise)[0]

    def slots(self, state: SlotState) -> Tensor:
        """(..., K, Z + 2): content and position, the latter in object extents."""
        return torch.cat([state.content, state.position / self.object_extent], -1)

    def positions(self, state: SlotState) -> Tensor:
        """(N, K, 2): held by the state, nothing is decoded."""
        return state.position

    def decode(self, state: SlotState) -> Scene:
        """See the contract."""
        return self.decoder(state.content, state.position)

    def loss(self, window: Window, objective: str, step: int | Tensor) -> Losses:
        """See the contract."""
        self.check_objective(objective)
        if objective == "dynamics":
            with torch.no_grad():
                states = self.filter(window.frames, window.actions)
            return self.latent_loss(states, window.actions, objective, step)
        states = self.filter(window.frames, window.actions)
        discovery = self._discovery_loss(window, states)
        if objective == "discovery":
            return discovery
        imagined = self.latent_loss(states.detach(), window.actions, "dynamics", step)
        consistency = self._consistency(states, window.actions)
        total = discovery.total + imagined.total + consistency
        terms = discovery.terms | imagined.terms | {"consistency": consistency.detach()}
        return Losses(total, terms)

    def latent_loss(
        self, states: SlotState, actions: Tensor, objective: str, step: int | Tensor
    ) -> Losses:
        """The ``dynamics`` objective: open-loop squared error and the variance's likelihood.

        The mean is trained by squared error alone, so that the variance cannot excuse it.
        """
        if objective != "dynamics":
            return super().latent_loss(states, actions, objective, step)
        losses = [member._rollout_loss(states, actions) for member in self.members]
        return Losses.of_members(losses)

    def trainable(self, objective: str) -> list[nn.Parameter]:
        """All parameters for ``joint``, the dynamics' or all the others for a single stage."""
        self.check_objective(objective)
        dynamics = [*self.dynamics.parameters(), *self.siblings.parameters()]
        foreseeing = ("dynamics.", "siblings.")
        others = [p for n, p in self.named_parameters() if not n.startswith(foreseeing)]
        return {"joint": others + dynamics, "discovery": others, "dynamics": dynamics}[objective]

    def _rollout_loss(self, states: SlotState, actions: Tensor) -> Losses:
        rollouts = self.best_of
        start = states.map(lambda tensor: tensor[:, 0]).repeat(rollouts)
        repeated = actions.repeat_interleave(rollouts, 0)
        target = self.slots(states).repeat_interleave(rollouts, 0)
        state, errors, likelihood = start, [], target.new_zeros(())
        for t in range(actions.shape[1]):
            noise = None
            if rollouts > 1:
                noise = torch.randn(len(target), *self.noise_shape, device=target.device)
            state, nodes = self._step(state, repeated[:, t], noise)
            error = (self.slots(state) - target[:, t + 1])[:, 1:]
            content, position = error.square().split([error.shape[-1] - 2, 2], -1)
            errors.append(content.mean((-1, -2)) + position.mean((-1, -2)))
            if t == 0:  # the only step that starts from a posterior, so its error is one step's
                std = self.dynamics.std(nodes.detach())
                of_mean = error if noise is None else error - std * noise
                likelihood = (0.5 * (of_mean.detach() / std).square() + std.log()).mean()
        error = torch.stack(errors, 1).mean(1).view(-1, rollouts).amin(1).mean()
        total = 10.0 * error + 0.1 * likelihood
        return Losses(total, {"rollout_error": error.detach(), "dynamics_nll": likelihood.detach()})

    def _first(self, frame: Tensor, tokens: Tensor) -> SlotState:
        seeds = self.initializer(frame)
        features = tokens.transpose(1, 2).unflatten(2, (_TOKENS, _TOKENS))
        seen = sampled(features, 2.0 * seeds.unsqueeze(1) - 1.0)
        content = self.first_content(seen.squeeze(2).transpose(1, 2))
        middle = torch.full_like(seeds[:, :1], 0.5)
        start = torch.cat([middle, seeds[:, 1:]], 1)
        content, position = self._correct(tokens, content, start, self.first_iterations)
        return SlotState(content, position, torch.zeros_like(position))

    def _correct(
        self, tokens: Tensor, content: Tensor, position: Tensor, iterations: int
    ) -> tuple[Tensor, Tensor]:
        content, position = self.corrector(tokens, content, position, iterations)
        return self.posterior(content), position

    def _step(
        self, state: SlotState, action: Tensor, noise: Tensor | None
    ) -> tuple[SlotState, Tensor]:
        """The next state and the objects' nodes (N, K - 1, W) inside the dynamics.

        The background (slot 0) is carried over as it is.
        """
        objects = state.map(lambda tensor: tensor[:, 1:])
        change, nodes = self.dynamics(
            objects.content, objects.position, objects.motion, self.normalise_action(action)
        )
        if noise is not None:
            change = change + self.dynamics.std(nodes) * noise
        moved = change[..., -2:] * self.object_extent
        after = state.map(Tensor.clone)
        after.content[:, 1:] += change[..., :-2]
        after.position[:, 1:] += moved
        after.motion[:, 1:] = moved
        return after, nodes

    def _discovery_loss(self, window: Window, states: SlotState) -> Losses:
        std = self.discovery_std
        content = states.content
        sample = content + std * torch.randn_like(content)
        scene = self.decoder(sample.flatten(0, 1), states.position.flatten(0, 1))
        error = (scene.frames - window.frames.flatten(0, 1)).square().sum((-1, -2, -3)).mean()
        kl = 0.5 * (content.square() + std.square() - 1.0) - std.log()
        kl = kl.sum((-1, -2)).mean()
        total = error / (2.0 * self.pixel_std**2) + kl
        return Losses(total, {"squared_error": error.detach(), "kl": kl.detach()})

    def _consistency(self, states: SlotState, actions: Tensor) -> Tensor:
        """KL from the prediction to the posterior, both with the discovery variance."""
        before = states.map(lambda tensor: tensor[:, :-1].flatten(0, 1))
        after = states.map(lambda tensor: tensor[:, 1:].flatten(0, 1))
        predicted = self.step(before, actions.flatten(0, 1))
        content = ((after.content - predicted.content) / self.discovery_std).square()
        position = ((after.position - predicted.position) / self.position_std).square()
        return 0.5 * (content.sum((-1, -2)) + position.sum((-1, -2))).mean()
