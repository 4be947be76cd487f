"""The published models written plainly: what ``published_models.py`` compares with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from armillary.world_models.blocks.gaussian import mixture_nll
from armillary.world_models.blocks.noise import Noise
from armillary.world_models.iterative_slots import Frame, IterativeSlotModel, SlotBelief
from armillary.world_models.registry import build_model
from armillary.world_models.sdvae import Sdvae
from armillary.world_models.vrnn import Vrnn
from benchmarks.plain import PlainBroadcastDecoder, PlainGatedEncoder


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


def build_plain(name: str) -> IterativeSlotModel | Vrnn:
    """A published model at its published size, for 64 px and actions of 4, written plainly."""
    if name == "sdvae_davos":
        model: IterativeSlotModel | Vrnn = PlainBestOfMany(
            image_size=64, action_size=4, objective="U"
        )
    else:
        built = build_model(name, image_size=64, action_size=4)
        assert isinstance(built, IterativeSlotModel | Vrnn)
        model = built
    fast = model.decoder
    parts: dict[str, nn.Module] = {
        "decoder": PlainBroadcastDecoder(fast.input_size, fast.image_size)
    }
    if isinstance(model, Vrnn):
        parts["frame_encoder"] = PlainGatedEncoder(model.image_size, model.lstm.hidden_size)
    for name, part in parts.items():
        part.load_state_dict(model.get_submodule(name).state_dict())
        model.set_submodule(name, part)
    return model
