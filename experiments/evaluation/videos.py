"""Measures a model's imagined futures of some videos: scores per rollout and frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from armillary.experiments.command.errors import RunError
from armillary.experiments.evaluation.lpips import PerceptualDistance
from armillary.experiments.evaluation.metrics import Imagined, Segments, chosen
from armillary.seeds import OfVideo, video_seed
from armillary.world_models.data import Split, WindowDataset
from armillary.world_models.imagine import Imaginer
from armillary.world_models.model import Window, WorldModel
from armillary.world_models.simulator import View
from armillary.world_models.state import LatentState, Scene

Scores = dict[str, NDArray[np.float32]]
"""Of one video: METRIC (S, T), baseline/METRIC (T,), spread (T,), objects (C + T,) and recall
(C + T, R)."""

COPY, MEAN_IMAGE = "copy_last_frame", "mean_image"
BASELINES = (COPY, MEAN_IMAGE)


@dataclass(frozen=True)
class Settings:
    """How videos are evaluated; picklable.

    Attributes:
        context: C, frames that the model sees.
        horizon: T, frames it then imagines.
        rollouts: S, stochastic futures of each video.
        seed: of the noise; each video draws from a generator of its own.
        chunk: frames that are decoded together.
        objects: whether the masks are compared with the true ones.
        precision: see ``Imaginer``.
        stride: recorded frames from one of the model's to the next.
    """

    context: int
    horizon: int
    rollouts: int
    seed: int
    chunk: int
    objects: bool
    precision: str
    stride: int = 1


class Evaluator:
    """Evaluates videos of a split, a few at a time, in bounded memory.

    Args:
        model: on any device, in evaluation mode.
        split: of the model's image and action size, at least C + T frames long at its stride.
        settings: how.
        mean_image: (3, H, W) in [0, 1], the baseline that knows only the data.
        lpips: measures LPIPS, if wanted.

    Attributes:
        core: that encodes, imagines and decodes.
    """

    def __init__(
        self,
        model: WorldModel,
        split: Split,
        settings: Settings,
        mean_image: Tensor,
        lpips: PerceptualDistance | None,
    ) -> None:
        self._model = model
        self._settings = settings
        self._device = model.action_mean.device
        self.core = Imaginer(model, settings.precision)
        self._mean_image = mean_image.to(self._device)
        self._lpips = lpips
        self._of_frames = {name: metric.function for name, metric in chosen("frames").items()}
        self._of_masks = {name: metric.function for name, metric in chosen("masks").items()}
        length = settings.context + settings.horizon
        self._clips = WindowDataset(
            split, length, settings.stride, labels=settings.objects, in_memory=False
        )

    def window(self, videos: Sequence[int]) -> Window:
        """The first C + T frames of some videos."""
        indices = [video * self._clips.starts for video in videos]
        return self._clips.batch(indices).to_window(self._device)

    def scores(self, videos: Sequence[int]) -> list[Scores]:
        """What is measured of each of some videos.

        Raises:
            DataError: a video cannot be used.
            RunError: the model imagines NaN.
        """
        window, context = self.window(videos), self._settings.context
        truth = window.frames[:, context:]
        parts: list[dict[str, Tensor]] = []
        # Counted from the first rollout, small variances do not drown in rounding errors.
        origin: Tensor | None = None
        total, squares = torch.zeros_like(truth), torch.zeros_like(truth)
        with torch.no_grad():
            seen = self._seen(window)
            _check(seen.nan_rows(), videos, "sees NaN")
            state = seen.map(lambda tensor: tensor[:, -1])
            noise = torch.stack([self._noise(video) for video in videos]).to(self._device)
            for future, scene in self._futures(state, window.actions[:, context - 1 :], noise):
                frames = scene.frames
                _check(future.nan_rows().view(len(videos), -1), videos, "imagines NaN")
                _check(~frames.isfinite(), videos, "imagines NaN or infinite pixels")
                _check(~scene.masks.isfinite(), videos, "imagines NaN or infinite masks")
                parts.append(self._compare(frames, truth, scene))
                origin = frames[:, :1] if origin is None else origin
                offset = frames - origin
                total += offset.sum(1)
                squares += offset.square().sum(1)
            found = {name: torch.cat([part[name] for part in parts], 1) for name in parts[0]}
            count = self._settings.rollouts
            variance = (squares / count - (total / count).square()).clamp_min(0.0)
            found["spread"] = variance.sqrt().mean((-1, -2, -3))
            found |= self._baselines(window)
            if self._settings.objects:
                found |= self._objects(window, seen)
        arrays = {name: value.float().cpu().numpy() for name, value in found.items()}
        return [{name: array[row] for name, array in arrays.items()} for row in range(len(videos))]

    def example(self, video: int, rollout: int) -> tuple[Window, Scene]:
        """A video, and scenes (C + T, ...) of the context and of one of its rollouts."""
        window = self.window([video])
        with torch.no_grad():
            seen = self._seen(window)
            state = seen.map(lambda tensor: tensor[:, -1])
            noise = self._noise(video)[None, rollout : rollout + 1].to(self._device)
            context = self.core.decode(seen.flatten(2))
            actions = window.actions[:, self._settings.context - 1 :]
            _, imagined = next(self._futures(state, actions, noise))
            future = imagined.map(lambda x: x.flatten(0, 2))
        scene = Scene(
            torch.cat([context.components, future.components]).cpu(),
            torch.cat([context.masks, future.masks]).cpu(),
        )
        return window.to("cpu"), scene

    def _noise(self, video: int) -> Tensor:
        """(S, T, *noise_shape) standard normal, the same for a video whatever its batch."""
        seed = video_seed(self._settings.seed, video, OfVideo.NOISE)
        generator = torch.Generator().manual_seed(seed)
        shape = (self._settings.rollouts, self._settings.horizon, *self._model.noise_shape)
        return torch.randn(shape, generator=generator)

    def _seen(self, window: Window) -> LatentState:
        """The posterior of every frame of the context, (N, C, ...)."""
        context = window.start(self._settings.context)
        return self.core.filter(context.frames, context.actions, context.previous)

    def _futures(
        self, state: LatentState, actions: Tensor, noise: Tensor
    ) -> Iterator[tuple[LatentState, Scene]]:
        """States (N r T, ...) and scenes (N, r, T, ...) of a few rollouts, of noise (N, S, ...)."""
        count, horizon = actions.shape[:2]
        for part in noise.split(max(1, self._settings.chunk // (count * horizon)), 1):
            members = part.shape[1]
            future = self.core.rollout(
                state.repeat(members), actions.repeat_interleave(members, 0), part.flatten(0, 1)
            )
            states = future.flatten(2)
            yield states, View(states, (count, members, horizon), self.core).scene

    def _compare(self, frames: Tensor, truth: Tensor, scene: Scene | None) -> dict[str, Tensor]:
        """The metrics of images (N, r, T, 3, H, W) against (N, T, 3, H, W): (N, r, T) each."""
        seen = Imagined(frames, truth.unsqueeze(1), scene, self._model, self._lpips)
        found = {name: measure and measure(seen) for name, measure in self._of_frames.items()}
        return {name: values for name, values in found.items() if values is not None}

    def _baselines(self, window: Window) -> dict[str, Tensor]:
        """baseline/METRIC: (N, T) of what needs no model."""
        context = self._settings.context
        truth = window.frames[:, context:]
        images = {
            COPY: window.frames[:, context - 1 : context].expand_as(truth),
            MEAN_IMAGE: self._mean_image.expand_as(truth),
        }
        return {
            f"{name}/{metric}": values[:, 0]
            for name, image in images.items()
            for metric, values in self._compare(image.unsqueeze(1), truth, None).items()
        }

    def _objects(self, window: Window, seen: LatentState) -> dict[str, Tensor]:
        """Object metrics (N, C + T) of the context and of the rollout without noise."""
        actions = window.actions[:, self._settings.context - 1 :]
        imagined = self.core.rollout(seen.map(lambda tensor: tensor[:, -1]), actions)
        states = type(seen).cat([seen, imagined], dim=1)
        labels = self.core.decoded(states.flatten(2), lambda scene: scene.labels)
        segments = Segments(window.labels, labels.unflatten(0, window.frames.shape[:2]))
        found = {name: measure and measure(segments) for name, measure in self._of_masks.items()}
        known = {name: values for name, values in found.items() if values is not None}
        return {**known, "recall": segments.recall}


def _check(broken: Tensor, videos: Sequence[int], what: str) -> None:
    """Raises RunError that names the first of N videos with anything broken, bool (N, ...)."""
    rows = broken.reshape(len(videos), -1).any(1).nonzero().flatten()
    if len(rows):
        raise RunError(f"the model {what} in video {videos[int(rows[0])]}")


def mean_image(split: Split, episodes: int = 256) -> Tensor:
    """(3, H, W) in [0, 1]: the mean of all frames of evenly spread episodes."""
    chosen = np.unique(np.linspace(0, len(split) - 1, episodes).astype(int)).tolist()
    total = np.zeros((split.info.image_size, split.info.image_size, 3))
    for episode in chosen:
        total += split.frames(episode).mean(0, dtype=np.float64)
    return torch.from_numpy(total / len(chosen) / 255.0).permute(2, 0, 1).float()
