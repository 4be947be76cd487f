"""B planning problems under search: checked once, candidates clipped, scored."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.planners.optimizer import Bounds, Plan, Score
from armillary.planners.template.choices import Choices
from armillary.planners.template.record import Record
from armillary.planners.template.sampling import populations


class Problem:
    """What a search is given. Time and action are one dimension, T * A.

    Nothing in it mixes problems or adds up in an order that depends on their number, so that a plan
    is the same, bit by bit, whoever shares its batch. All is of the type and on the device of
    ``init``.

    Args:
        score: see ``ActionOptimizer.optimize``, as the others.

    Attributes:
        score: as it was given.
        mean: (B, 1, T * A), the warm start, clipped; the middle of the bounds where it is NaN.
        half_range: (T * A,), half the width of the bounds.
        low: (T * A,), least actions.
        high: (T * A,), greatest actions.
        generators: one per problem.
        shape: T and A.
        choices: what discrete actions stand for; None where they are continuous.
        over: (B,) bool, the problems whose searches have ended: what is scored then counts as +inf.

    Raises:
        ArmillaryError: shapes disagree, or ``init`` is not of floating point.
    """

    def __init__(
        self,
        score: Score,
        init: Tensor,
        bounds: Bounds,
        generators: Sequence[torch.Generator],
        proposals: Tensor | None,
    ) -> None:
        _check_inputs(init, bounds, generators, proposals)
        self.score = score
        self._init = init
        self._record = Record()
        self.over: Tensor | None = None
        self.generators = generators
        self.shape = (init.shape[1], init.shape[2])
        low, high = _like(init, bounds)
        self.low, self.high = low.repeat(init.shape[1]), high.repeat(init.shape[1])
        self.half_range = (self.high - self.low) / 2
        self.choices = Choices(low, bounds.choices, bounds.is_one_hot) if bounds.choices else None
        self.mean = self.clip(self._without_nan(init.flatten(1).unsqueeze(1)))
        self._proposals: list[Tensor] = []
        if proposals is not None:
            self.propose(proposals)

    def _without_nan(self, candidates: Tensor) -> Tensor:
        """Candidates (B, E, T * A) with the middle of the bounds where they are NaN."""
        return torch.where(candidates.isnan(), (self.low + self.high) / 2, candidates)

    def noise(
        self, sizes: Sequence[int], exponent: float, centred: Collection[int] = ()
    ) -> Iterator[Tensor]:
        """The noise (B, S_i, T * A) of each iteration, see ``sampling.populations``."""
        return populations(sizes, self._init, exponent, self.generators, centred)

    @property
    def evaluations(self) -> int:
        """Candidates scored for each problem so far."""
        return self._record.count

    def propose(self, proposals: Tensor) -> None:
        """Adds candidates (B, E, T, A) to the next population, of any type and on any device.

        What is NaN in them becomes the middle of the bounds.
        """
        self._proposals.append(self._without_nan(proposals.to(self._init).flatten(2)))

    def spend(self, evaluations: int) -> None:
        """Counts what was asked of the model beside scores, in candidates of each problem."""
        self._record.count += evaluations

    def clip(self, candidates: Tensor) -> Tensor:
        """The nearest candidates (B, S, T * A) within the bounds, or of the choices there are."""
        if self.choices is not None:
            actions = candidates.unflatten(2, self.shape)
            return self.choices.actions(self.choices.options(actions)).flatten(2)
        return candidates.clamp(self.low, self.high)

    def population(
        self, mean: Tensor, std: Tensor, noise: Tensor, carried: Tensor | None
    ) -> Tensor:
        """Candidates (B, S, T * A): mean + std * noise, those carried, the first time proposals.

        Args:
            mean: (B, 1, T * A).
            std: like ``mean`` or (T * A,).
            noise: (B, S_i, T * A); S_i may be 0.
            carried: (B, E, T * A).
        """
        parts = [torch.addcmul(mean, std, noise).clamp_(self.low, self.high)]
        if carried is not None:
            parts.append(self.clip(carried))
        parts += map(self.clip, self._proposals)
        self._proposals = []
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    def evaluate(self, candidates: Tensor, gradient: bool = False) -> Tensor:
        """Scores candidates; all are remembered.

        Args:
            candidates: (B, S, T * A) within the bounds.
            gradient: whether to leave the scores' gradient in ``candidates.grad``; 0 where it is
                not finite.

        Returns:
            (B, S), without NaN or -inf.

        Raises:
            ArmillaryError: the scores have another shape, or no gradient.
        """
        scores = self._differentiated(candidates) if gradient else self._scored(candidates)
        return self._record.add(candidates, scores)

    def plan(self, mean: Tensor, std: Tensor, elites: Tensor | None) -> Plan:
        """The best candidate ever scored.

        Args:
            mean: (B, 1, T * A), ``Plan.mean``.
            std: like ``mean`` or (T * A,), ``Plan.spread``.
            elites: (B, E, T * A), ``Plan.elites``; by default the best candidate.

        Raises:
            ArmillaryError: no candidate of a problem has a finite score.
        """
        cost, best, history = self._record.result()
        elites = best.unsqueeze(1) if elites is None else elites
        return Plan(
            actions=best.view_as(self._init),
            cost=cost,
            history=history,
            mean=mean.view_as(self._init),
            spread=std.expand_as(mean).reshape(self._init.shape),
            elites=elites.reshape(len(elites), -1, *self.shape),
            evaluations=torch.full((len(best),), self._record.count),
        )

    def _scored(self, candidates: Tensor) -> Tensor:
        count, samples, _ = candidates.shape
        scores = self.score(candidates.view(count, samples, *self.shape))
        if scores.shape != (count, samples):
            raise ArmillaryError(
                f"score must map candidates (B, S, T, A) = {(count, samples, *self.shape)} "
                f"to (B, S) = {(count, samples)}, got {tuple(scores.shape)}"
            )
        if scores.device != self._init.device or not scores.is_floating_point():
            kind = scores.dtype if scores.is_floating_point() else self._init.dtype
            scores = scores.to(self._init.device, kind)
        if self.over is not None:
            scores = scores.masked_fill(self.over.unsqueeze(1), torch.inf)
        return scores

    def _differentiated(self, candidates: Tensor) -> Tensor:
        """The scores; leaves the gradient of each candidate's own one in ``candidates.grad``."""
        with torch.enable_grad():
            scores = self._scored(candidates.requires_grad_())
        found = None
        if scores.requires_grad:
            each = torch.ones_like(scores)
            (found,) = torch.autograd.grad(scores, candidates, each, allow_unused=True)
        if found is None:
            raise ArmillaryError(
                "a search by gradient needs scores that carry one from the actions, and these do "
                "not (true physics never do); planner=cem, icem or mppi needs none"
            )
        candidates.grad = found.nan_to_num(0.0, 0.0, 0.0)
        return scores.detach()


def _like(init: Tensor, bounds: Bounds) -> tuple[Tensor, Tensor]:
    """The bounds in the type and on the device of ``init``, rounded inwards where there is room."""
    low, high = bounds.low.to(init), bounds.high.to(init)
    if low.dtype == bounds.low.dtype and high.dtype == bounds.high.dtype:
        return low, high
    inf = torch.full_like(low, torch.inf)
    lower = low.to(bounds.low.dtype) < bounds.low.to(init.device)
    higher = high.to(bounds.high.dtype) > bounds.high.to(init.device)
    inner_low = torch.where(lower, low.nextafter(inf), low)
    inner_high = torch.where(higher, high.nextafter(-inf), high)
    room = inner_low <= inner_high
    return torch.where(room, inner_low, low), torch.where(room, inner_high, high)


def _check_inputs(
    init: Tensor, bounds: Bounds, generators: Sequence[torch.Generator], proposals: Tensor | None
) -> None:
    actions = len(bounds.low)
    if init.ndim != 3 or init.shape[2] != actions or init.numel() == 0:
        raise ArmillaryError(
            f"init must be (B, T, A) with A = {actions} as in the bounds, got {tuple(init.shape)}"
        )
    if not init.is_floating_point():
        raise ArmillaryError(f"init must be of floating point, such as float32, got {init.dtype}")
    problems, horizon, _ = init.shape
    if len(generators) != problems:
        raise ArmillaryError(
            f"there must be one generator for each of the {problems} problems, "
            f"got {len(generators)}"
        )
    if proposals is not None and (*proposals.shape[:1], *proposals.shape[2:]) != tuple(init.shape):
        raise ArmillaryError(
            f"proposals must be (B, E, T, A) = ({problems}, E, {horizon}, {actions}), "
            f"got {tuple(proposals.shape)}"
        )
