"""L-BFGS within bounds for many candidates at once, each with a history of its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from armillary.planners.template.problem import Problem

_PAIRS = 8
"""M, how many steps and changes of the gradient are remembered."""
_SAFE = 1e-3
"""The least cosine between a step and the change of the gradient that is safely positive."""


@dataclass(frozen=True, slots=True)
class LBFGS:
    """Where limited-memory BFGS stands and what it knows of the curvature, for each candidate.

    Lengths are in halves of the range of the bounds, gradients per half.

    Attributes:
        points: (B, S, T * A), actions, those of the least score so far, where steps begin.
        scores: (B, S), theirs.
        gradient: (B, S, T * A), theirs.
        steps: (M, B, S, T * A), the last that were tried, the oldest first; 0 before the first.
        changes: (M, B, S, T * A), of the gradient over each of these steps.
        radius: (B, S, 1), the most by which the next step may change any number.
        unit: (B, S, 1), of gradients: the largest number of the first one, so that squares of the
            scores' own unit neither overflow nor vanish.
    """

    points: Tensor
    scores: Tensor
    gradient: Tensor
    steps: Tensor
    changes: Tensor
    radius: Tensor
    unit: Tensor

    @staticmethod
    def begun(points: Tensor, scores: Tensor, gradient: Tensor, radius: float) -> LBFGS:
        """At points of which no more is known than their scores and gradients."""
        none = points.new_zeros(_PAIRS, *points.shape)
        first = torch.full_like(points[..., :1], radius)
        unit = _longest(gradient)
        unit = torch.where(unit > 0, unit, 1.0)
        return LBFGS(points, scores, gradient / unit, none, none, first, unit)

    def advanced(self, problem: Problem, points: Tensor, scores: Tensor, gradient: Tensor) -> LBFGS:
        """After a step to ``points``: there where the score has fallen, else back where it began.

        The next step may be twice as long as this one might have been, or half as long as this one
        was. This is instead of a line search, which would want an unknown number of scores. The
        curvature is learnt from both, unless it is not safely positive or a score is infinite.
        """
        inverse = (1 / problem.half_range).masked_fill(problem.half_range == 0, 0.0)
        gradient = gradient / self.unit
        step, change = (points - self.points) * inverse, gradient - self.gradient
        finite = (scores + self.scores).isfinite().unsqueeze(2)
        learnt = _safe(step, change) & finite
        fallen = (scores < self.scores) | self.scores.isinf()
        there = fallen.unsqueeze(2)
        return LBFGS(
            torch.where(there, points, self.points),
            torch.where(fallen, scores, self.scores),
            torch.where(there, gradient, self.gradient),
            torch.where(learnt, _joined(self.steps, step), self.steps),
            torch.where(learnt, _joined(self.changes, change), self.changes),
            torch.where(there, (2 * self.radius).clamp_max(2.0), _longest(step) / 2),
            self.unit,
        )

    def next(self, problem: Problem) -> Tensor:
        """The points (B, S, T * A) within the bounds that the next step leads to.

        Numbers that the gradient pulls out of the bounds stay, and the curvature is that of all
        others: two-metric projection (Bertsekas 1982; with L-BFGS, Schmidt, Kim & Sra 2011). To
        project a step of all may lead upwards, however short it is.
        """
        tiny = torch.finfo(self.gradient.dtype).tiny
        outwards = (self.points <= problem.low) & (self.gradient > 0)
        held = outwards | (self.points >= problem.high) & (self.gradient < 0)
        gradient = self.gradient.masked_fill(held, 0.0)
        steps, changes = (pairs.masked_fill(held, 0.0) for pairs in (self.steps, self.changes))
        scale = self.radius / _longest(gradient).clamp_min(tiny)
        step = two_loop(gradient, steps, changes, scale)
        step = step * (self.radius / _longest(step).clamp_min(tiny)).clamp_max(1.0)
        step = step.nan_to_num(0.0, 0.0, 0.0)  # of gradients so large that their sums overflow
        return problem.clip(self.points - problem.half_range * step)


def two_loop(gradient: Tensor, steps: Tensor, changes: Tensor, scale: Tensor) -> Tensor:
    """The inverse Hessian times the gradient (Nocedal & Wright 2006, Algorithm 7.4).

    Args:
        gradient: (..., N).
        steps: (M, ..., N), the oldest first, s in the book.
        changes: (M, ..., N), of the gradient over each step, y in the book. Pairs whose curvature
            is not safely positive are left out.
        scale: (..., 1), of the identity that the inverse Hessian is where no pair remains; where
            some do it begins with that of the newest, equation (7.20).

    Returns:
        (..., N); its negative is the direction of a step.
    """
    safe, products = _safe(steps, changes), _dot(steps, changes)
    inverse = (1 / products).masked_fill(~safe, 0.0)
    for known, newer in zip(safe, products / _dot(changes, changes), strict=True):
        scale = torch.where(known, newer, scale)
    pairs = [*zip(steps, changes, inverse, strict=True)]
    weights: list[Tensor] = []
    for step, change, rho in reversed(pairs):
        weights.append(rho * _dot(step, gradient))
        gradient = gradient - weights[-1] * change
    found = scale * gradient
    for step, change, rho in pairs:
        found = found + step * (weights.pop() - rho * _dot(change, found))
    return found


def _safe(step: Tensor, change: Tensor) -> Tensor:
    """Whether the curvature along a step (..., N) is safely positive, (..., 1) bool."""
    square = _dot(change, change)
    sizes = _dot(step, step).sqrt() * square.sqrt()
    return (_dot(step, change) > _SAFE * sizes) & (square > torch.finfo(square.dtype).tiny)


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum(-1, keepdim=True)


def _longest(step: Tensor) -> Tensor:
    return step.abs().amax(-1, keepdim=True)


def _joined(pairs: Tensor, newest: Tensor) -> Tensor:
    """(M, B, S, T * A) without the oldest and with one more."""
    return torch.cat([pairs[1:], newest.unsqueeze(0)])
