"""Early stop: each problem's search ends on its own when its cost and its spread have settled."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from armillary.planners.optimizer import Plan
from armillary.planners.template.problem import Problem

_LOOK_BACK = 2
"""Iterations over which neither may have changed: one without a better candidate is soon met."""


class Settling:
    """Watches B searches. Nothing that a problem yields depends on how long the others go on.

    A search that has ended keeps what it had then, and its generator is set back to where it was
    then. Asking whether all have ended waits for the device once per iteration.

    Args:
        problem: what is searched.
        tolerance: the greatest change over two iterations that counts as none: of the best cost
            relative to itself, of the spread in halves of the range of the bounds.
        iterations: the length of ``Plan.history``.
    """

    def __init__(self, problem: Problem, tolerance: float, iterations: int) -> None:
        self._problem = problem
        self._tolerance = tolerance
        self._iterations = iterations
        self._past: list[Tensor] = []
        self._kept: tuple[Tensor, ...] = ()
        self._over = torch.zeros(len(problem.mean), dtype=torch.bool, device=problem.mean.device)
        self._states: dict[int, Tensor] = {}
        self._evaluations: dict[int, int] = {}

    def observe(self, scores: Tensor, mean: Tensor, std: Tensor, elites: Tensor | None) -> bool:
        """Sees an iteration's scores (B, S) and what the plan would say after it.

        Args:
            scores: (B, S).
            mean: (B, 1, T * A).
            std: like ``mean`` or (T * A,).
            elites: (B, E, T * A) or None.

        Returns:
            Whether all searches have ended.
        """
        parts = (mean, std.expand_as(mean)) + (() if elites is None else (elites,))
        if self._kept:
            over = self._over[:, None, None]
            parts = tuple(torch.where(over, a, b) for a, b in zip(self._kept, parts, strict=True))
        self._kept = parts
        spread = (parts[1] / self._problem.half_range).nan_to_num(0.0, 0.0, 0.0).mean((1, 2))
        cost = scores.amin(1).to(spread)
        if self._past:
            cost = cost.minimum(self._past[-1][0])
        self._past.append(torch.stack([cost, spread]))
        if len(self._past) > _LOOK_BACK:
            self._end(cost, (self._past[-1] - self._past[-1 - _LOOK_BACK]).abs())
        return len(self._states) == len(self._over)

    def plan(self) -> Plan:
        """The plan, with each problem as it was when its search ended."""
        for number, state in self._states.items():
            self._problem.generators[number].set_state(state)
        mean, std, *elites = self._kept
        plan = self._problem.plan(mean, std, elites[0] if elites else None)
        evaluations = plan.evaluations.clone()
        for number, count in self._evaluations.items():
            evaluations[number] = count
        missing = self._iterations - len(plan.history)
        history = torch.cat([plan.history, plan.history[-1:].expand(missing, -1)])
        return replace(plan, history=history, evaluations=evaluations)

    def _end(self, cost: Tensor, change: Tensor) -> None:
        """Ends the searches whose change (2, B) of cost and spread is within the tolerance."""
        allowed = self._tolerance * torch.stack([cost.abs(), torch.ones_like(cost)])
        still = (change <= allowed).all(0)
        for number in (still & ~self._over).nonzero()[:, 0].tolist():
            self._states[number] = self._problem.generators[number].get_state()
            self._evaluations[number] = self._problem.evaluations
        self._over = self._over | still
        self._problem.over = self._over
