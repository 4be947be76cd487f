"""How far imagination beats copying, and what becomes of it when actions are shuffled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from armillary.experiments.diagnosis.looking import Looked, Seen
from armillary.experiments.evaluation.diagnosis.evidence import Imagination
from armillary.world_models.simulator import Simulator
from armillary.world_models.state import LatentState


def beliefs_of(simulator: Simulator, seen: Seen) -> list[LatentState]:
    """What a model believes at every moment of an episode, as an agent's beliefs come about."""
    still = np.zeros((1, simulator.action_size), np.float32)
    first = seen.observations[:1]
    belief = simulator.observe(None, still, first)
    for _ in range(simulator.context_length - 1):
        belief = simulator.observe(belief, still, first)
    beliefs = [belief]
    for action, observation in zip(seen.actions, seen.observations[1:], strict=False):
        beliefs.append(simulator.observe(beliefs[-1], action[None], [observation]))
    return beliefs


def imagination_of(
    simulator: Simulator,
    episodes: Sequence[tuple[Seen, Sequence[LatentState]]],
    horizon: int,
    every: int,
) -> Imagination | None:
    """Errors by steps ahead, from every ``every``-th moment of episodes and their beliefs.

    None where no episode was two moments long.
    """
    pool = [action for seen, _ in episodes for action in seen.actions]
    drawn = np.random.default_rng(0)
    totals, counts = np.zeros((3, horizon)), np.zeros(horizon, np.int64)
    for seen, beliefs in episodes:
        for start in range(0, len(beliefs) - 1, every):
            length = min(horizon, len(beliefs) - 1 - start)
            right = np.stack(seen.actions[start : start + length])
            wrong = np.stack([pool[index] for index in drawn.integers(len(pool), size=length)])
            state = beliefs[start]
            before = simulator.view(state).slots
            after = torch.cat(
                [simulator.view(one).slots for one in beliefs[start + 1 : start + 1 + length]]
            )
            guesses = [*_imagined(simulator, state, [right, wrong]), before.expand_as(after)]
            for row, guess in enumerate(guesses):
                totals[row, :length] += (guess - after).square().flatten(1).mean(1).cpu().numpy()
            counts[:length] += 1
    reached = int((counts > 0).sum())
    if not reached:
        return None
    imagined, shuffled, copied = totals[:, :reached] / counts[:reached]
    worse = np.flatnonzero(imagined >= copied)
    total = float(imagined.sum())
    return Imagination(
        imagined=imagined.tolist(),
        copied=copied.tolist(),
        shuffled=shuffled.tolist(),
        moments=counts[:reached].tolist(),
        horizon=int(worse[0]) if len(worse) else reached,
        shuffled_ratio=float(shuffled.sum()) / total if total > 0 else None,
    )


def _imagined(
    simulator: Simulator, state: LatentState, actions: Sequence[np.ndarray]
) -> Iterator[Tensor]:
    """(T, K, D) slots under each sequence of actions (T, A), the mean over particles."""
    given = torch.from_numpy(np.stack(actions)).float().to(simulator.device)[None]
    generators = [torch.Generator(simulator.device).manual_seed(0)]
    with torch.no_grad():
        yield from simulator.rollout(state, given, generators).slots[0].mean(1)


def beliefs_in(
    simulator: Simulator, batches: Sequence[Looked]
) -> list[tuple[Seen, Sequence[LatentState]]]:
    """Every episode with its beliefs."""
    return [(seen, beliefs_of(simulator, seen)) for batch in batches for seen in batch.episodes]
