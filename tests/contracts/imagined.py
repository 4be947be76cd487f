"""Rollouts and goals made of given slots, positions and frames, for tests of costs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from armillary.world_models.simulator import Goal, Rollout, View
from armillary.world_models.state import LatentState, Scene


@dataclass(frozen=True)
class Given(LatentState):
    """Slots (N, K, D), positions (N, K, 2), frames (N, 3, H, W)."""

    slots: Tensor
    positions: Tensor
    frames: Tensor


class GivenReader:
    """Reads what was given; counts how often it decodes."""

    def __init__(self) -> None:
        self.decoded = 0

    def slots(self, state: Given) -> Tensor:
        return state.slots

    def positions(self, state: Given) -> Tensor:
        return state.positions

    def orientations(self, state: Given) -> Tensor:
        angles = state.slots[..., 0]
        return torch.stack([angles.cos(), angles.sin()], -1)

    def handles(self, state: Given) -> Tensor:
        return state.slots[..., 1:3]

    def decode(self, state: Given) -> Scene:
        self.decoded += 1
        frames = state.frames.unsqueeze(1)
        return Scene(frames, torch.ones_like(frames[:, :, :1]))

    def frames(self, state: Given) -> Tensor:
        return self.decode(state).frames

    def masks(self, state: Given) -> Tensor:
        return self.decode(state).masks


SHAPE = (2, 3, 2, 4)
SLOTS, SIZE, PIXELS, ACTIONS = 4, 5, 6, 2


def view(
    shape: tuple[int, ...] = SHAPE[:1],
    seed: int = 0,
    slots: Tensor | None = None,
    positions: Tensor | None = None,
    frames: Tensor | None = None,
    reader: GivenReader | None = None,
) -> View:
    """Random where not given; a tensor starts with ``shape``."""
    generator = torch.Generator().manual_seed(seed)
    tensors = []
    for given, tail in (
        (slots, (SLOTS, SIZE)),
        (positions, (SLOTS, 2)),
        (frames, (3, PIXELS, PIXELS)),
    ):
        drawn = torch.rand(*shape, *tail, generator=generator)
        tensors.append((drawn if given is None else given).flatten(0, len(shape) - 1))
    return View(Given(*tensors), shape, reader or GivenReader())


def rollout(
    shape: tuple[int, ...] = SHAPE,
    seed: int = 0,
    slots: Tensor | None = None,
    positions: Tensor | None = None,
    frames: Tensor | None = None,
    reader: GivenReader | None = None,
    actions: Tensor | None = None,
) -> Rollout:
    """Random where not given; actions are (B, S, T, A) in [-1, 1]."""
    reader = reader or GivenReader()
    states = view(shape, seed, slots, positions, frames, reader).state
    problems, candidates, _, horizon = shape
    if actions is None:
        generator = torch.Generator().manual_seed(seed + 1)
        actions = torch.rand(problems, candidates, horizon, ACTIONS, generator=generator) * 2 - 1
    return Rollout(states, shape, reader, actions)


def goal(
    view: View,
    assignment: list[int] | Tensor,
    objects: list[float],
    effector: list[float],
) -> Goal:
    """The same assignment, objects and effector for every problem."""
    problems = view.shape[0]
    return Goal(
        view,
        torch.as_tensor(assignment).expand(problems, -1),
        torch.tensor(objects).expand(problems, -1),
        torch.tensor(effector).expand(problems, -1),
    )
