"""Finds out what the slots of a scene are: the background, the effector and the objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.suggestions import suggest
from armillary.world_models.simulator import Probe, Roles, View

_PROBE_STEPS = 2
_FOLLOWS = 0.25
"""The share of the effector's way that what is part of it goes under the same actions, at least."""

_STIRS = 0.05
"""What the squared ways, in image widths, from the mean of the places that the ends of all actions
lead to add up to for what follows them: the square of this, at least."""

Strategy = TypeVar("Strategy")


class Background(Protocol):
    """Tells the background from things."""

    def __call__(self, scenes: View, /) -> Tensor:
        """B scenes -> (B, K) float32: 1 for the slots that show no thing, else 0."""
        ...


class Effector(Protocol):
    """Tells what the actions move directly."""

    def __call__(self, scenes: View, probe: Probe, low: Tensor, high: Tensor, /) -> Tensor:
        """(B, K) float32: 1 for the slot that the actions move directly, at most one; else 0.

        Slots that are part of it, and therefore no objects, may have something in between.

        Args:
            scenes: of B problems.
            probe: says where actions lead.
            low: (A,) the least actions.
            high: (A,) the greatest actions.
        """
        ...


def largest(scenes: View) -> Tensor:
    """Assumes that the background covers more of the image than any thing does."""
    area = scenes.masks.sum((-1, -2, -3))
    return torch.zeros_like(area).scatter_(1, area.argmax(1, keepdim=True), 1.0)


def first(scenes: View) -> Tensor:
    """Assumes that the model keeps the background in slot 0, as ``slot_dynamics`` does."""
    background = scenes.masks.new_zeros(scenes.masks.shape[:2])
    background[:, 0] = 1.0
    return background


def no_background(scenes: View) -> Tensor:
    """Assumes that every slot that is seen is a thing."""
    return scenes.masks.new_zeros(scenes.masks.shape[:2])


def moved(scenes: View, probe: Probe, low: Tensor, high: Tensor) -> Tensor:
    """Assumes that one slot follows the actions at once, and that the others wait to be touched.

    It is the one whose imagined place differs most between the greatest and the least action of
    each dimension, the others being in the middle of their range. What an action in the middle does
    is not asked, so that actions may be displacements or places.
    """
    spread = _spread(probe, low, high)
    return torch.zeros_like(spread).scatter_(1, spread.argmax(1, keepdim=True), 1.0)


def moved_parts(scenes: View, probe: Probe, low: Tensor, high: Tensor) -> Tensor:
    """Assumes that what the actions move may be shown by several slots, as an arm and its hand.

    The slot of ``moved`` has 1 and is the effector; those that go with it a quarter of its way or
    more have 0.5: they are parts of it, and no objects. Where nothing goes far enough no slot shows
    the effector, and none is taken for it.
    """
    spread = _spread(probe, low, high)
    most = spread.amax(1, keepdim=True)
    parts = 0.5 * (spread >= _FOLLOWS**2 * most)
    parts = parts.scatter_(1, spread.argmax(1, keepdim=True), 1.0)
    return parts * (most >= _STIRS**2)


def _spread(probe: Probe, low: Tensor, high: Tensor) -> Tensor:
    """(B, K) the variance of where slots are after the actions that ``moved`` tells of."""
    one = torch.eye(len(low), dtype=torch.bool, device=low.device)
    ends = torch.cat([torch.where(one, end, (low + high) / 2) for end in (high, low)])
    places = probe(ends.unsqueeze(1).expand(-1, _PROBE_STEPS, -1))
    return (places - places.mean(1, keepdim=True)).square().sum((1, -1))


def no_effector(scenes: View, probe: Probe, low: Tensor, high: Tensor) -> Tensor:
    """Assumes that what moves the objects is not in the image, or needs no slot of its own."""
    return scenes.masks.new_zeros(scenes.masks.shape[:2])


BACKGROUNDS: dict[str, Background] = {"largest": largest, "first": first, "none": no_background}
EFFECTORS: dict[str, Effector] = {
    "moved": moved,
    "moved_parts": moved_parts,
    "none": no_effector,
}


@dataclass(frozen=True)
class FindRoles:
    """Objects are what is seen and is neither the background nor the effector.

    Args:
        background: one of ``BACKGROUNDS``, or a function.
        effector: one of ``EFFECTORS``, or a function.
        low: the least actions, (A,) or one number.
        high: the greatest actions, likewise.
        presence: what the greatest value of a slot's mask must be above for the slot to be seen.

    Raises:
        ArmillaryError: there is no such strategy.
    """

    background: str | Background = "largest"
    effector: str | Effector = "moved"
    low: Tensor | float = -1.0
    high: Tensor | float = 1.0
    presence: float = 0.5

    def __post_init__(self) -> None:
        _named("background", self.background, BACKGROUNDS)
        _named("effector", self.effector, EFFECTORS)

    def __call__(self, scenes: View, probe: Probe, action_size: int) -> Roles:
        """See ``RoleFinder``."""
        background = _named("background", self.background, BACKGROUNDS)(scenes)
        low, high = (
            torch.as_tensor(end, dtype=torch.float32).to(background.device).expand(action_size)
            for end in (self.low, self.high)
        )
        find_effector = _named("effector", self.effector, EFFECTORS)
        effector = find_effector(scenes, probe, low, high)
        present = (scenes.masks.amax((-1, -2, -3)) > self.presence).float()
        objects = present * (1.0 - background) * (effector == 0)
        return Roles(objects, effector.floor())


def _named(what: str, given: str | Strategy, known: Mapping[str, Strategy]) -> Strategy:
    """The strategy that a name stands for; a function stands for itself."""
    if not isinstance(given, str):
        return given
    if given not in known:
        raise ArmillaryError(f"unknown {what} {given!r}; {suggest(given, known)}")
    return known[given]
