"""Makes the videos of drawn clips: what was recorded, or what a model imagines after a context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from armillary.experiments.command.errors import RunError
from armillary.experiments.pixels import pictures, quantised
from armillary.experiments.realism.clips import Clips
from armillary.experiments.realism.video_writer import VIDEOS
from armillary.seeds import OfVideo, video_seed
from armillary.world_models.data import Split, WindowDataset
from armillary.world_models.imagine import Imaginer
from armillary.world_models.model import Window, WorldModel
from armillary.world_models.simulator import View
from armillary.world_models.state import Scene

Arrays = dict[str, NDArray]


@dataclass(frozen=True)
class Recorded:
    """The clips that every video starts from.

    Attributes:
        windows: of C + T frames.
        clips: drawn from ``windows``.
        rollouts: S, videos of each clip; video n is rollout n % S of clip n // S.
    """

    windows: WindowDataset
    clips: Clips
    rollouts: int

    def __len__(self) -> int:
        return len(self.clips.episodes) * self.rollouts

    def read(self, clips: NDArray[np.int64]) -> Window:
        """The clips of these numbers."""
        episodes, starts = self.clips.episodes[clips], self.clips.starts[clips]
        return self.windows.batch((episodes * self.windows.starts + starts).tolist()).to_window()

    def origin(self, rows: NDArray[np.int64]) -> Arrays:
        """Where videos come from: ``episode``, ``start`` and ``rollout``, (len(rows),) each."""
        clips = rows // self.rollouts
        return {
            "episode": self.clips.episodes[clips].astype(np.int32),
            "start": self.clips.starts[clips].astype(np.int32),
            "rollout": (rows % self.rollouts).astype(np.int32),
        }


class Source(Protocol):
    """Makes videos by their numbers; what it makes does not depend on how it is asked."""

    def make(self, rows: NDArray[np.int64]) -> Arrays:
        """Arrays (len(rows), ...) by name, ``videos`` uint8 (len(rows), C + T, H, W, 3) first."""
        ...


@dataclass(frozen=True)
class GroundTruth:
    """The recorded clips themselves."""

    recorded: Recorded

    def make(self, rows: NDArray[np.int64]) -> Arrays:
        """See ``Source``: ``videos`` and where they come from."""
        window = self.recorded.read(rows // self.recorded.rollouts)
        return {VIDEOS: pictures(window.frames), **self.recorded.origin(rows)}


@dataclass(frozen=True)
class Imagined:
    """What a model makes of the clips: C frames that it saw, then T that it imagined.

    Attributes:
        recorded: the clips.
        model: on its device, in evaluation mode.
        context: C.
        seed: of the noise; each video has a generator of its own.
        keep_context: show the context as it was recorded instead of reconstructed.
        slots: also make ``slots`` float32 (N, C + T, K, D).
        masks: also make ``masks`` uint8 (N, C + T, K, H, W), 255 where a slot is alone.
        ground_truth: also make ``ground_truth``, what really happened, like ``videos``.
        precision: see ``Imaginer``.
    """

    recorded: Recorded
    model: WorldModel
    context: int
    seed: int
    keep_context: bool
    slots: bool
    masks: bool
    ground_truth: bool
    precision: str = "float32"

    def make(self, rows: NDArray[np.int64]) -> Arrays:
        """See ``Source``.

        Raises:
            RunError: the model imagined NaN or infinity.
        """
        clips, inverse = np.unique(rows // self.recorded.rollouts, return_inverse=True)
        window, picked = self.recorded.read(clips), torch.from_numpy(inverse)
        slots, scene = self._imagine(window, picked, rows)
        frames = scene.frames.cpu()
        if not frames.isfinite().all():
            row = rows[int((~frames.isfinite()).flatten(1).any(1).nonzero()[0])]
            raise RunError(f"the model imagined NaN or infinity in video {row}")
        truth = window.frames[picked]
        if self.keep_context:
            frames = torch.cat([truth[:, : self.context], frames[:, self.context :]], 1)
        made: Arrays = {VIDEOS: pictures(frames), **self.recorded.origin(rows)}
        if self.slots:
            made["slots"] = slots.cpu().numpy()
        if self.masks:
            made["masks"] = quantised(scene.masks.squeeze(-3)).cpu().numpy()
        if self.ground_truth:
            made["ground_truth"] = pictures(truth)
        return made

    def _imagine(
        self, window: Window, picked: Tensor, rows: NDArray[np.int64]
    ) -> tuple[Tensor, Scene]:
        """Slots (N, C + T, K, D) and scenes (N, C + T, ...) of the videos ``rows``."""
        model = self.model
        device, context = model.action_mean.device, self.context
        window, picked = window.to(device), picked.to(device)
        future = window.actions[picked, context - 1 :]
        noise = [video_noise(model, self.seed, int(row), future.shape[1]) for row in rows]
        core, start = Imaginer(model, self.precision), window.start(context)
        with torch.no_grad():
            seen = core.filter(start.frames, start.actions, start.previous).index(picked)
            last = seen.map(lambda tensor: tensor[:, -1])
            imagined = core.rollout(last, future, torch.stack(noise).to(device))
            states = type(seen).cat([seen, imagined], dim=1).flatten(2)
            broken = states.nan_rows().view(len(rows), -1).any(1).nonzero().flatten()
            if len(broken):
                raise RunError(f"the model's belief is NaN in video {rows[int(broken[0])]}")
            view = View(states, (len(rows), window.length), core)
            return view.slots, view.scene


def video_noise(model: WorldModel, seed: int, row: int, horizon: int) -> Tensor:
    """(horizon, \\*noise_shape) standard normal on the CPU: a function of seed and video alone."""
    generator = torch.Generator().manual_seed(video_seed(seed, row, OfVideo.NOISE))
    return torch.randn(horizon, *model.noise_shape, generator=generator)


def entries(arrays: Mapping[str, NDArray]) -> dict[str, tuple[tuple[int, ...], str]]:
    """The shape and type of one video's entry in each array."""
    return {name: (array.shape[1:], array.dtype.name) for name, array in arrays.items()}


def windows_of(split: Split, length: int, stride: int = 1) -> WindowDataset:
    """The windows that clips are drawn from, read from the file as they are needed."""
    return WindowDataset(split, length, stride, labels=False, in_memory=False)
