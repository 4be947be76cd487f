"""Features of videos from a world model's slots, for a Frechet distance that needs no download."""

from __future__ import annotations

import torch
from torch import Tensor

from armillary.experiments.command.errors import UsageError
from armillary.world_models.imagine import Imaginer
from armillary.world_models.model import WorldModel
from armillary.world_models.simulator import View


class SlotFeatures:
    """What a world model's encoder sees in a video, as one vector; the order of slots is nothing.

    The slots z (K, T, D) are those of the posterior of every frame under the mean action, so that
    a video is all that is needed. The vector has three parts of D numbers each: the mean over slots
    of a slot's mean over time, the standard deviation over slots of the same, and the
    mean over slots and time of ``|z[t + 1] - z[t]|``: what things are there, how different
    they are, and how much they change.

    Args:
        model: on its device, in evaluation mode.
    """

    def __init__(self, model: WorldModel) -> None:
        self._model = model
        self._core = Imaginer(model)

    def features(self, videos: Tensor) -> Tensor:
        """(N, 3 D) features of videos (N, T, H, W, 3) in 0..255, T at least 2.

        They are NaN for a video of which the model believes NaN.

        Raises:
            UsageError: the frames do not have the model's size.
        """
        size = self._model.image_size
        count, length, *shape = videos.shape
        if shape != [size, size, 3]:
            raise UsageError(
                f"the model of checkpoint=... sees frames of {size} x {size} pixels, the videos "
                f"have {shape[0]} x {shape[1]}; choose a checkpoint of their size"
            )
        device = self._model.action_mean.device
        frames = videos.movedim(-1, 2).to(device) / 255
        actions = self._model.action_mean.expand(count, length - 1, -1)
        with torch.no_grad():
            states = self._core.filter(frames, actions)
            slots = View(states.flatten(2), (count, length), self._core).slots.cpu().double()
            slots[states.nan_rows().cpu()] = torch.nan
        # (N, T, K, D) with the same slot at the same k in every frame.
        still = slots.mean(1)
        change = slots.diff(dim=1).abs().mean(1)
        return torch.cat([still.mean(1), still.std(1, correction=0), change.mean(1)], -1)
