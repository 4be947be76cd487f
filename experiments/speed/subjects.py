"""The models that are measured, each also written plainly."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from armillary.experiments.command.parameters import model_class, parameters_of
from armillary.experiments.speed.cases import Setting
from armillary.world_models.blocks.broadcast_decoder import SpatialBroadcastDecoder
from armillary.world_models.blocks.gated_encoder import GatedEncoder
from armillary.world_models.blocks.gaussian import mixture_nll
from armillary.world_models.blocks.noise import Noise
from armillary.world_models.iterative_slots import Frame, SlotBelief
from armillary.world_models.model import WorldModel
from armillary.world_models.registry import SETTINGS, available_models, build_model
from armillary.world_models.sdvae import Sdvae

OURS = "slot_dynamics"
_PUBLISHED = ("op3", "sdvae", "ssm", "vrnn")
_WITHOUT_OBJECTS = ("rssm", "patch_dynamics")
_TOY: dict[str, Any] = {"latent_size": 4, "conv_channels": 4}
_TOY_SLOTS = {**_TOY, "num_slots": 3, "lstm_hidden": 8, "rollouts": 2}
_TOYS = {name: _TOY_SLOTS for name in ("op3", "sdvae", "sdvae_davos", "ssm")}
_TOYS |= {name: {**_TOY, "hidden": 16} for name in ("vrnn", "vrnn_star")}
_TOYS["rssm"] = {**_TOY, "hidden": 16, "memory_size": 8}
_TOYS["patch_dynamics"] = {"grid": 4, "feature_size": 4, "conv_channels": 4, "width": 8, "heads": 2}


def known() -> tuple[str, ...]:
    """Names of all models, those of settings too."""
    return tuple(sorted({*available_models(), *SETTINGS}))


def by_default() -> tuple[str, ...]:
    """Ours, the published ones and those without objects."""
    return (OURS, *_PUBLISHED, *_WITHOUT_OBJECTS, *SETTINGS)


def imagining(names: tuple[str, ...] | list[str]) -> list[str]:
    """Without those that differ from others only in how they are trained."""
    return [name for name in names if name not in SETTINGS or SETTINGS[name][0] not in names]


def build(name: str, setting: Setting, **more: Any) -> WorldModel:
    """A model with seeded weights, on its device, in evaluation mode.

    Args:
        name: of a model or of its settings.
        setting: says at which size.
        **more: further hyperparameters.
    """
    torch.manual_seed(setting.seed)
    return build_model(name, **_hyperparameters(name, setting, more)).to(setting.device).eval()


def build_plain(name: str, setting: Setting, **more: Any) -> WorldModel:
    """The same model written plainly, with the same weights."""
    model = build(name, setting, **more)
    if name == "sdvae_davos":
        plain = PlainBestOfMany(**{**_hyperparameters(name, setting, more), "objective": "U"})
        plain.load_state_dict(model.state_dict())
        model = plain.to(setting.device).eval()
    for path, part in list(model.named_modules()):
        if type(part) in _PLAIN:
            plain = _PLAIN[type(part)](part, model.image_size).to(setting.device)
            plain.load_state_dict(part.state_dict())
            model.set_submodule(path, plain.train(model.training))
    return model


def has_slots(name: str) -> bool:
    """Whether the number of slots is a setting."""
    return "num_slots" in parameters_of(model_class(name))


def _hyperparameters(name: str, setting: Setting, more: dict[str, Any]) -> dict[str, Any]:
    if name == OURS:
        return {"image_size": 32, "action_size": 2, "num_slots": 5, **more}
    if setting.size.published:
        return {"image_size": 64, "action_size": 4, **more}
    return {"image_size": 16, "action_size": 4, **_TOYS.get(name, {}), **more}


class PlainBroadcastDecoder(nn.Module):
    """Tiles the latent, appends the coordinates and convolves (Watters et al. 2019).

    Parameters and output are those of ``SpatialBroadcastDecoder``.

    Args:
        input_size: Z.
        image_size: H = W.
        channels: width of the convolutions.
        outputs: channels of the output.
    """

    def __init__(
        self, input_size: int, image_size: int, channels: int = 32, outputs: int = 4
    ) -> None:
        super().__init__()
        self.side = image_size + 8
        layers: list[nn.Module] = []
        for inputs in (input_size + 2, channels, channels, channels):
            layers += [nn.Conv2d(inputs, channels, 5, padding=1), nn.ELU()]
        self.decode = nn.Sequential(*layers, nn.Conv2d(channels, outputs, 1))

    def forward(self, z: Tensor) -> Tensor:
        """z (N, Z) -> (N, outputs, H, W)."""
        axis = torch.linspace(-1.0, 1.0, self.side, dtype=z.dtype, device=z.device)
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"))
        tiled = z[:, :, None, None].expand(-1, -1, self.side, self.side)
        return self.decode(torch.cat([tiled, grid.expand(len(z), -1, -1, -1)], 1))


class PlainGatedEncoder(GatedEncoder):
    """Convolves twice, normalises and gates, all frames at once, in evaluation as in training."""

    def forward(self, frames: Tensor) -> Tensor:
        """(N, C, H, W) in [0, 1] -> (N, features)."""
        return self.project(self.layers(frames))


class PlainBestOfMany(Sdvae):
    """Keeps the graph of all S rollouts and chooses afterwards."""

    def _best_of_many(
        self, state: SlotBelief, frames: Tensor, actions: Tensor, noise: Noise
    ) -> tuple[list[Frame], Tensor]:
        count, samples = len(frames), self.rollouts
        size = (count, samples, self.num_slots, self.latent_size)
        many, nlls, seen = state.repeat(samples), [], []
        for t in range(frames.shape[1]):
            action = self._disturb(actions[:, t], samples, noise)
            many = self._imagine(many, action, noise.latent(size, frames).flatten(0, 1))
            means, log_masks = self.components(many)
            shown = frames[:, t].repeat_interleave(samples, 0)
            nlls.append(mixture_nll(shown, means, log_masks, self.log_std))
            seen.append(Frame(many, means, log_masks))
        return seen, torch.stack(nlls).sum(0).view(count, samples).amin(1).mean()


def _decoder(part: Any, image_size: int) -> nn.Module:
    channels, outputs = part.decode[0].out_channels, part.decode[-1].out_channels
    return PlainBroadcastDecoder(part.input_size, image_size, channels, outputs)


def _encoder(part: Any, image_size: int) -> nn.Module:
    return PlainGatedEncoder(image_size, part.project[1].out_features)


_PLAIN = {SpatialBroadcastDecoder: _decoder, GatedEncoder: _encoder}
