"""The best, a random and the worst of several stochastic rollouts of each held-out clip."""

from __future__ import annotations

import torch
from torch import Tensor

from armillary.world_models.imagine import Imaginer
from armillary.world_models.metrics import psnr, ssim
from armillary.world_models.metrics.similarity import WINDOW
from armillary.world_models.model import Window, WorldModel
from armillary.world_models.validation.open_loop import PSNR_LIMIT


def evaluate_rollouts(
    model: WorldModel,
    window: Window,
    context_length: int,
    rollouts: int,
    generator: torch.Generator,
    batch_size: int = 32,
) -> dict[str, float]:
    """Imagines each clip several times, under noise, and compares with what happened.

    The context is encoded once; the rollouts are made one after another, so that memory does not
    grow with their number.

    Args:
        model: on any device; it is left in evaluation or training mode, as it was.
        window: N clips of T frames, on any device.
        context_length: C, 1 <= C < T.
        rollouts: S >= 1, per clip.
        generator: of the noise, on the CPU.
        batch_size: clips in memory at a time.

    Returns:
        What ``tier_means`` says of the PSNR, and where images are wide enough of the SSIM.
    """
    device, training = model.action_mean.device, model.training
    model.eval()
    parts: dict[str, list[Tensor]] = {}
    for start in range(0, len(window.frames), batch_size):
        clips = window.index(slice(start, start + batch_size)).to(device)
        scored = _score(model, clips, context_length, rollouts, generator)
        for name, scores in scored.items():
            parts.setdefault(name, []).append(scores)
    model.train(training)
    metrics: dict[str, float] = {}
    for name, scores in parts.items():
        metrics |= tier_means(name, torch.cat(scores, dim=1))
    return metrics


def tier_means(name: str, scores: Tensor) -> dict[str, float]:
    """``NAME_best``, ``NAME_random`` and ``NAME_worst``, averaged over clips and frames.

    Best and worst are chosen per clip, by the sum over its frames (Emami et al. 2020). The random
    one is the first, which is as random as any. A clip with a NaN makes all three NaN.

    Args:
        name: of the metric.
        scores: (S, N, H), higher is better.
    """
    sums = scores.sum(-1)
    clips = torch.arange(scores.shape[1])
    tiers = {
        "best": scores[sums.argmax(0), clips],
        "random": scores[0],
        "worst": scores[sums.argmin(0), clips],
    }
    broken = bool(scores.isnan().any())
    return {
        f"{name}_{tier}": float("nan") if broken else float(values.mean())
        for tier, values in tiers.items()
    }


def _score(
    model: WorldModel, window: Window, context_length: int, rollouts: int, noise: torch.Generator
) -> dict[str, Tensor]:
    """(S, N, H) per metric, on the CPU."""
    truth = window.frames[:, context_length:]
    actions = window.actions[:, context_length - 1 :]
    metrics = {"open_loop_psnr": lambda frames: psnr(frames, truth).clamp_max(PSNR_LIMIT)}
    if min(truth.shape[-2:]) >= WINDOW:
        metrics["open_loop_ssim"] = lambda frames: ssim(frames, truth)
    scores: dict[str, list[Tensor]] = {name: [] for name in metrics}
    core, context = Imaginer(model), window.start(context_length)
    with torch.no_grad():
        start = core.encode(context.frames, context.actions, context.previous)
        for _ in range(rollouts):
            drawn = torch.randn(*actions.shape[:2], *model.noise_shape, generator=noise)
            states = core.rollout(start, actions, drawn.to(actions.device))
            frames = core.frames(states.flatten(2)).view_as(truth)
            for name, metric in metrics.items():
                scores[name].append(metric(frames).cpu())
    return {name: torch.stack(values) for name, values in scores.items()}
