"""Where in the scene slots are, learned from actions that say how far their effector goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from armillary.world_models.model import Losses
from armillary.world_models.slots.state import SlotState

_MOVED = 0.015
"""How far a slot that has moved is from where it was, in image widths: a pixel of 64."""
_OFTEN, _AS_OFTEN = 0.5, 0.8
"""The share of the steps in which the effector moves at least, and that of what moves most in which
parts of it do."""
_SLOPPY = 0.1
"""Errors above which a label is rather wrong than the readout, in units of actions."""
_TOUCHED, _AT_REST, _CENTRE = 0.3, 0.3, 1e-3
"""Weights beside that of the effector's way: of what it touches, of what rests, and of the square
of places, which settles where the middle of the scene is."""


@dataclass(frozen=True)
class Displacement:
    """Trains a readout of places by the ways that actions tell.

    Nobody says what the effector is, nor where anything is. In a clip the effector is what moves in
    nearly every step; it may be several slots. Between any two frames its place has to differ by
    the sum of the actions. Other things move only when it touches or holds them: they are then
    where it is, and are where they were as long as they rest. Errors count by their size, not their
    square, since some labels are wrong: an effector may be stopped, what is pushed is beside it.

    Attributes:
        readout: states (..., K) -> places (..., K, P), in units of actions.
    """

    readout: Callable[[SlotState], Tensor]

    def loss(self, states: SlotState, ways: Tensor) -> Losses:
        """Of the objects (N, T, K) and ways (N, T - 1, P) that the effector is sent."""
        told = self.readout(states)
        seen = states.seen
        both = seen[:, 1:] & seen[:, :-1]
        apart = (states.position[:, 1:] - states.position[:, :-1]).square().sum(-1).sqrt()
        moved = both & (apart > _MOVED)
        effector = effectors(moved, both).unsqueeze(1)
        shown = (effector & seen).unsqueeze(-1)
        gone = functional.pad(ways.cumsum(1), (0, 0, 1, 0)).unsqueeze(2)
        start = _mean(told - gone, shown, (1, 2))
        way = _error(told - gone, start, shown)
        hand = _mean(told, shown, (2,)).detach()
        touched = (moved & ~effector).unsqueeze(-1)
        known = shown.any(2, keepdim=True)
        touch = _error(told[:, :-1], hand[:, :-1], touched & known[:, :-1])
        touch = touch + _error(told[:, 1:], hand[:, 1:], touched & known[:, 1:])
        rests = (both & ~moved & ~effector).unsqueeze(-1)
        rest = _error(told[:, 1:], told[:, :-1], rests)
        centre = told.square().mean()
        total = way + _TOUCHED * touch + _AT_REST * rest + _CENTRE * centre
        terms = {"way_error": way, "touch_error": touch, "rest_error": rest}
        return Losses(total, {name: term.detach() for name, term in terms.items()})


def effectors(moved: Tensor, both: Tensor) -> Tensor:
    """(N, K) bool: what moves in most steps, and those slots that do about as often.

    Args:
        moved: (N, T - 1, K) bool, which slots were seen to move.
        both: (N, T - 1, K) bool, which were seen before and after.
    """
    share = moved.sum(1) / both.sum(1).clamp_min(1)
    most = share.amax(1, keepdim=True)
    return (share > _OFTEN) & (share >= _AS_OFTEN * most)


def _mean(values: Tensor, which: Tensor, over: tuple[int, ...]) -> Tensor:
    return (values * which).sum(over, keepdim=True) / which.sum(over, keepdim=True).clamp_min(1)


def _error(told: Tensor, meant: Tensor, which: Tensor) -> Tensor:
    """() of the places of which (N, T, K, 1) says that they are known."""
    error = functional.smooth_l1_loss(told, meant.expand_as(told), reduction="none", beta=_SLOPPY)
    return (error * which).sum() / which.sum().clamp_min(1)
