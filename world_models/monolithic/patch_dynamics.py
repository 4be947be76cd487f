"""patch_dynamics: features of patches, and a transformer that foresees them (after DINO-WM)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from armillary.errors import ArmillaryError
from armillary.suggestions import suggest
from armillary.world_models.model import Losses, Window, WorldModel, check_ensemble
from armillary.world_models.monolithic.convolutions import growing
from armillary.world_models.monolithic.dinov2 import SIZES, DinoV2
from armillary.world_models.monolithic.patch_features import ConvolutionalPatches
from armillary.world_models.monolithic.patch_predictor import PatchPredictor
from armillary.world_models.registry import register_model
from armillary.world_models.state import LatentState, Scene

_CONVOLUTIONAL = "convolutional"


@dataclass(frozen=True)
class PatchState(LatentState):
    """The last C frames of N videos, the oldest first.

    Attributes:
        patches: (N, C, P, E) their features.
        actions: (N, C, A) what led to each.
        seen: (N, C) 1 for frames that there were, 0 before the first one.
    """

    patches: Tensor
    actions: Tensor
    seen: Tensor


@register_model("patch_dynamics")
class PatchDynamics(WorldModel[PatchState]):
    """Foresees features of patches; it does not segment, so K = 1, and nothing in it is random.

    As in DINO-WM (Zhou et al. 2024, 2411.04983) a transformer, causal by frames, predicts the
    features of the next frame from those of the last C and the actions between them; plans compare
    imagined features with the goal's. The features are DINOv2's, frozen, or those of convolutions
    that are trained beside the transformer. The latter cannot collapse, since nothing rewards them
    for being foreseen: they learn by reconstruction alone, as in World Models (Ha & Schmidhuber
    2018, 1803.10122). From DINOv2's features frames are decoded for those who look; nothing but the
    decoder learns by that.

    Objectives:
        joint: reconstruction and prediction together.
        features: reconstruction alone; trains the decoder, and the features unless frozen.
        dynamics: prediction alone; trains the transformer, also on states that were encoded once.

    Args:
        image_size: H = W, ``grid`` times a power of two.
        action_size: A.
        context_length: C, frames that the transformer sees.
        grid: patches along a side, P = grid^2.
        features: ``convolutional``, ``dinov2_vits14`` or ``dinov2_vitb14``.
        weights: the authors' file of DINOv2's weights (``dinov2_vits14_pretrain.pth``); a
            checkpoint needs it no longer.
        feature_size: E of convolutional features; DINOv2 has its own.
        conv_channels: of the encoder's first and the decoder's last convolution.
        width: of the transformer.
        depth: its layers.
        heads: its attention heads.
        pixel_std: standard deviation of the pixel likelihood.
        ensemble: M, transformers that share all else; see ``slot_dynamics``.
    """

    objectives = ("joint", "features", "dynamics")
    starts_from = ("weights",)

    def __init__(
        self,
        *,
        image_size: int,
        action_size: int,
        context_length: int = 2,
        grid: int = 8,
        features: str = _CONVOLUTIONAL,
        weights: str | None = None,
        feature_size: int = 32,
        conv_channels: int = 16,
        width: int = 64,
        depth: int = 2,
        heads: int = 4,
        pixel_std: float = 0.1,
        ensemble: int = 1,
    ) -> None:
        check_ensemble(ensemble)
        if features != _CONVOLUTIONAL and features not in SIZES:
            valid = (_CONVOLUTIONAL, *SIZES)
            raise ArmillaryError(f"unknown features {features!r}; {suggest(features, valid)}")
        if heads < 1 or width % heads:
            raise ArmillaryError(f"heads must divide width = {width}, got {heads}")
        if depth < 1:
            raise ArmillaryError(f"depth must be at least 1, got {depth}")
        size = SIZES[features][0] if features in SIZES else feature_size
        super().__init__(
            image_size=image_size,
            action_size=action_size,
            context_length=context_length,
            num_slots=1,
            slot_size=grid**2 * size,
            noise_shape=(1,),
        )
        self.pixel_std = pixel_std
        self.grid = grid
        showing, top = growing(image_size, grid, conv_channels)
        self.encoder: ConvolutionalPatches | DinoV2
        if features in SIZES:
            self.encoder = dino = DinoV2(features, grid)
            if weights is not None:
                dino.load(weights)
        else:
            if weights is not None:
                raise ArmillaryError(f"weights are for features={' or '.join(SIZES)}")
            self.encoder = ConvolutionalPatches(image_size, grid, conv_channels, size)
        self.decoder = nn.Sequential(nn.Conv2d(size, top, 3, padding=1), showing)
        self.predictor, *others = (
            PatchPredictor(size, action_size, context_length, grid**2, width, depth, heads)
            for _ in range(ensemble)
        )
        self.siblings = nn.ModuleList(others)

    @property
    def members(self) -> Sequence[PatchDynamics]:
        """See the contract."""
        return self.exchanging("predictor", self.siblings)

    def observe(self, state: PatchState | None, action: Tensor, frame: Tensor) -> PatchState:
        """See the contract; the belief is what was seen last."""
        patches = self.encoder(frame)
        state = self._start(patches, action) if state is None else state
        return self._proceed(state, action, patches)

    def step(self, state: PatchState, action: Tensor, noise: Tensor | None = None) -> PatchState:
        """See the contract; ``noise`` changes nothing."""
        actions = self.normalise_action(_pushed(state.actions, action))
        foreseen = self.predictor(state.patches, actions, state.seen, newest=True)
        return self._proceed(state, action, foreseen[:, 0])

    def slots(self, state: PatchState) -> Tensor:
        """(N, 1, P E): the newest frame's features."""
        return state.patches[:, -1].flatten(1).unsqueeze(1)

    def decode(self, state: PatchState) -> Scene:
        """See the contract."""
        frames = self._shown(state.patches[:, -1]).unsqueeze(1)
        return Scene(frames, torch.ones_like(frames[:, :, :1]))

    def loss(self, window: Window, objective: str, step: int | Tensor) -> Losses:
        """See the contract."""
        self.check_objective(objective)
        frames = window.frames.flatten(0, 1)
        with torch.set_grad_enabled(torch.is_grad_enabled() and objective != "dynamics"):
            seen = self.encoder(frames)
        patches = seen.unflatten(0, window.frames.shape[:2])
        if objective == "dynamics":
            return self._foresight(patches, window.actions)
        error = F.mse_loss(self._shown(seen), frames)
        losses = Losses(error / (2.0 * self.pixel_std**2), {"squared_error": error.detach()})
        if objective == "features":
            return losses
        foresight = self._foresight(patches.detach(), window.actions)
        return Losses(losses.total + foresight.total, losses.terms | foresight.terms)

    def latent_loss(
        self, states: PatchState, actions: Tensor, objective: str, step: int | Tensor
    ) -> Losses:
        """The ``dynamics`` objective on states that were encoded once."""
        if objective != "dynamics":
            return super().latent_loss(states, actions, objective, step)
        return self._foresight(states.patches[:, :, -1], actions)

    def trainable(self, objective: str) -> list[nn.Parameter]:
        """All but frozen features for ``joint``; the transformer's or all others for one stage.

        Raises:
            ArmillaryError: the objective is not one of ``objectives``, or DINOv2's features have no
                weights.
        """
        self.check_objective(objective)
        self.encoder.check()
        dynamics = [*self.predictor.parameters(), *self.siblings.parameters()]
        features = [] if self.encoder.frozen else list(self.encoder.parameters())
        features += self.decoder.parameters()
        return {"joint": features + dynamics, "features": features, "dynamics": dynamics}[objective]

    def _foresight(self, patches: Tensor, actions: Tensor) -> Losses:
        return Losses.of_members([m._foresight_alone(patches, actions) for m in self.members])

    def _foresight_alone(self, patches: Tensor, actions: Tensor) -> Losses:
        """Squared error of features (N, T, P, E) that are foreseen under actions (N, T - 1, A).

        After each of the first C frames, as in DINO-WM; then, from what was foreseen, open loop.
        """
        pairs = patches.shape[1] - 1
        if pairs < 1:
            raise ArmillaryError("foreseeing needs clips of at least 2 frames, got 1")
        first = min(self.context_length, pairs)
        actions, seen = self.normalise_action(actions), patches.new_ones(patches.shape[:2])
        history = patches[:, :first]
        foreseen = [self.predictor(history, actions[:, :first], seen[:, :first], newest=False)]
        for t in range(first, pairs):
            history = torch.cat([history[:, 1:], foreseen[-1][:, -1:]], 1)
            span = slice(t - first + 1, t + 1)
            foreseen.append(self.predictor(history, actions[:, span], seen[:, span], newest=True))
        error = F.mse_loss(torch.cat(foreseen, 1), patches[:, 1:])
        return Losses(error, {"foresight_error": error.detach()})

    def _start(self, patches: Tensor, action: Tensor) -> PatchState:
        """Before the first frame, of features (N, P, E)."""
        empty = patches.new_zeros(patches.shape[0], self.context_length, *patches.shape[1:])
        actions = action.new_zeros(action.shape[0], self.context_length, self.action_size)
        return PatchState(empty, actions, empty[:, :, 0, 0])

    def _proceed(self, state: PatchState, action: Tensor, patches: Tensor) -> PatchState:
        """One more frame, of features (N, P, E), which an action led to."""
        return PatchState(
            _pushed(state.patches, patches),
            _pushed(state.actions, action),
            _pushed(state.seen, torch.ones_like(state.seen[:, 0])),
        )

    def _shown(self, patches: Tensor) -> Tensor:
        """(N, P, E) -> (N, 3, H, W) in [0, 1]."""
        return self.decoder(patches.transpose(1, 2).unflatten(2, (self.grid, self.grid)))


def _pushed(history: Tensor, newest: Tensor) -> Tensor:
    """(N, C, ...) with one more at the end, (N, ...), and one less at the beginning."""
    return torch.cat([history[:, 1:], newest.unsqueeze(1)], 1)
