"""Rows of evaluation: videos a second, beside rollouts and metrics one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from armillary.experiments.evaluation.videos import Evaluator, Settings, mean_image
from armillary.experiments.speed.cases import Case, Setting, Work
from armillary.experiments.speed.files import episodes_of_noise
from armillary.experiments.speed.subjects import OURS, build, build_plain, imagining
from armillary.world_models.metrics import psnr, ssim
from armillary.world_models.model import Window, WorldModel

_CHUNK = 256


def cases(setting: Setting) -> Iterator[Case]:
    """Ours; all models where there is time."""
    for name in imagining(list(setting.models)):
        if name == OURS or setting.size.every:
            yield videos(setting, name)


def videos(
    setting: Setting,
    name: str,
    *,
    count: int | None = None,
    rollouts: int | None = None,
    horizon: int | None = None,
) -> Case:
    """The row of videos that are evaluated together: accuracy and diversity."""
    size = setting.size
    number, futures = count or size.videos, rollouts or size.rollouts
    steps = horizon or size.horizon
    settings = {
        "videos": number,
        "rollouts": futures,
        "horizon": steps,
        "threads": setting.threads,
    }

    def make() -> Work:
        ours, plain = build(name, setting), build_plain(name, setting)
        context = ours.context_length
        split = episodes_of_noise(setting, ours.image_size, ours.action_size).split("train")
        told = Settings(context, steps, futures, setting.seed, _CHUNK, False, "float32")
        evaluator = Evaluator(ours, split, told, mean_image(split, 2), None)
        window = evaluator.window(range(number))
        return Work(
            lambda: evaluator.scores(range(number)),
            _one_by_one(plain, window, context, steps, futures),
            counted=lambda: evaluator.scores(range(number)),
        )

    return Case("evaluation", name, settings, "videos", number, make)


def _one_by_one(
    model: WorldModel, window: Window, context: int, horizon: int, rollouts: int
) -> Callable[[], Tensor]:
    """Every rollout of every video by itself, every frame compared when it is imagined."""

    @torch.no_grad()
    def run() -> Tensor:
        found = []
        for video in range(len(window.frames)):
            clip = window.index(slice(video, video + 1))
            for _ in range(rollouts):
                state = model.encode(clip.frames[:, :context], clip.actions[:, : context - 1])
                for t in range(context - 1, context + horizon - 1):
                    noise = torch.randn(1, *model.noise_shape, device=clip.frames.device)
                    state = model.step(state, clip.actions[:, t], noise)
                    seen, true = model.decode(state).frames, clip.frames[:, t + 1]
                    found += [psnr(seen, true), ssim(seen, true)]
        return torch.cat(found)

    return run
