"""The template of searches: draw a population, score it, learn from it: the `update` of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.planners.optimizer import Bounds, Plan, Score
from armillary.planners.proposals.sources import SHIFTED, Proposals, Wanted
from armillary.planners.situation import situated
from armillary.planners.template.checks import check, check_count, check_noise, check_numbers
from armillary.planners.template.problem import Problem
from armillary.planners.template.record import rows
from armillary.planners.template.settling import Settling
from armillary.world_models.simulator import Simulator


@dataclass(slots=True)
class Distribution:
    """What the next population is made of; an algorithm may derive its own.

    Attributes:
        problem: that it is a distribution for.
        mean: (B, 1, T * A), around which new candidates are drawn.
        std: like ``mean`` or (T * A,), their standard deviation.
        carried: (B, E, T * A), candidates that join them.
        gradient: whether the scores of the next population are to be differentiated.
    """

    problem: Problem
    mean: Tensor
    std: Tensor
    carried: Tensor | None = None
    gradient: bool = False


D = TypeVar("D", bound=Distribution)

_KINDS = {False: "continuous actions", True: "discrete actions (bounds with choices)"}
_FITTING = {False: "cem", True: "categorical_cem"}


@dataclass(frozen=True, kw_only=True)
class Search(ABC, Generic[D]):
    """Minimises by populations, see ``ActionOptimizer``.

    Attributes:
        iterations: how many populations are scored.
        proposals: what joins the first population: ``shifted`` (the good candidates of the plan
            before), ``retrieval`` and ``inverse_dynamics`` (what ``train-proposals`` made).
        proposals_from: what the latter two read: a run of ``train-proposals``, or the name of a
            bundled checkpoint; None takes those of ``stored.BUNDLED``, and in a command those that
            lie beside the model's checkpoint.
        tolerance: a problem's search ends early when neither its best cost, relative to itself, nor
            its spread, in halves of the range of the bounds, has changed by more over two
            iterations; 0 never ends early.
    """

    discrete: ClassVar[bool] = False
    """Whether it chooses among options; else it wants continuous actions."""
    differentiates: ClassVar[bool] = False
    """Whether its scores must carry a gradient, which those of true physics do not."""

    iterations: int = 10
    tolerance: float = 0.0
    proposals: Sequence[str] = (SHIFTED,)
    proposals_from: str | None = None

    def __post_init__(self) -> None:
        check_numbers(self)
        check_count("iterations", self.iterations, 1)
        check("tolerance", self.tolerance, "in [0, 1)", 0 <= self.tolerance < 1)
        _ = self._proposals  # what is wrong with it is told before anything is planned

    @cached_property
    def _proposals(self) -> Proposals | None:
        return Proposals.named(self.proposals, self.proposals_from)

    @abstractmethod
    def start(self, problem: Problem) -> D:
        """The distribution that the first population is drawn from."""

    @abstractmethod
    def update(self, distribution: D, candidates: Tensor, scores: Tensor) -> D:
        """Learns from a population.

        Args:
            distribution: that it was drawn from.
            candidates: (B, S, T * A) within the bounds: those drawn, those carried, and at first
                the proposals. ``candidates.grad`` is their scores' gradient if it was wanted.
            scores: (B, S), lower is better, +inf for what must not be learnt from.

        Returns:
            The next distribution. Nothing in it may depend on other problems.
        """

    def noise(self, problem: Problem) -> Iterator[Tensor]:
        """The noise (B, S_i, T * A) that each iteration adds to the mean; by default none."""
        nothing = problem.mean[:, :0]
        return iter([nothing] * self.iterations)

    def elites_of(self, distribution: D) -> Tensor | None:
        """(B, E, T * A), the last distribution's ``Plan.elites``; None is the best candidate."""
        return None

    def check_problem(self, simulator: Simulator, bounds: Bounds, horizon: int) -> None:
        """Checks that it suits a task and a model, see ``ActionOptimizer``.

        Raises:
            ArmillaryError: actions are discrete and it wants continuous ones, or the other way
                round; or its proposals are of another model, size, or horizon, or of wider bounds.
        """
        self._check_kind(bounds)
        if self._proposals is not None:
            self._proposals.check(simulator, Wanted(horizon, bounds))

    def _check_kind(self, bounds: Bounds) -> None:
        if bool(bounds.choices) != self.discrete:
            raise ArmillaryError(
                f"{type(self).__name__} needs {_KINDS[self.discrete]}, got "
                f"{_KINDS[not self.discrete]}; planner={_FITTING[not self.discrete]} fits"
            )

    @torch.no_grad()
    def optimize(
        self,
        score: Score,
        init: Tensor,
        bounds: Bounds,
        generators: Sequence[torch.Generator],
        proposals: Tensor | None = None,
    ) -> Plan:
        """See ``ActionOptimizer``."""
        self._check_kind(bounds)
        shifted = proposals if SHIFTED in self.proposals else None
        problem = Problem(score, init, bounds, generators, shifted)
        if self._proposals is not None:
            situation = situated(score, f"planner.proposals=[{','.join(self.proposals)}]")
            problem.propose(self._proposals(situation, Wanted(init.shape[1], bounds)))
        settling = Settling(problem, self.tolerance, self.iterations) if self.tolerance else None
        now = self.start(problem)
        for noise in self.noise(problem):
            candidates = problem.population(now.mean, now.std, noise, now.carried)
            scores = problem.evaluate(candidates, now.gradient)
            now = self.update(now, candidates, scores)
            if settling and settling.observe(scores, now.mean, now.std, self.elites_of(now)):
                break
        return settling.plan() if settling else problem.plan(now.mean, now.std, self.elites_of(now))


@dataclass(frozen=True, kw_only=True)
class GaussianSearch(Search[Distribution]):
    """Draws every population from a Gaussian, at first around the warm start.

    Attributes:
        samples: S, candidates per iteration.
        std: at the start, in halves of the range of the bounds.
        noise_exponent: 0 white, 2 red noise over time.
    """

    samples: int = 300
    std: float = 0.5
    noise_exponent: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("samples", self.samples, 2)
        check_noise(self.std, self.noise_exponent)

    def start(self, problem: Problem) -> Distribution:
        """See ``Search``: around the warm start."""
        return Distribution(problem, problem.mean, self.std * problem.half_range)

    def noise(self, problem: Problem) -> Iterator[Tensor]:
        """See ``Search``."""
        return problem.noise(self.population_sizes(), self.noise_exponent, self.centred())

    def population_sizes(self) -> Sequence[int]:
        """New candidates of each iteration."""
        return [self.samples] * self.iterations

    def centred(self) -> Collection[int]:
        """The iterations in which the mean is a candidate; 0 must be one."""
        return range(self.iterations)


def best(candidates: Tensor, scores: Tensor, count: int, ordered: bool = True) -> Tensor:
    """The ``count`` candidates of each problem with the least scores.

    Args:
        candidates: (B, S, T * A).
        scores: (B, S).
        count: E, from 1 to S.
        ordered: whether the best come first; any order takes half the time.

    Returns:
        (B, E, T * A).
    """
    problems, samples, size = candidates.shape
    places = scores.topk(count, 1, largest=False, sorted=ordered).indices
    if problems > 1:
        places = places + samples * rows(problems, scores.device)
    # Several times as fast as indexing with two tensors.
    return (
        candidates.reshape(-1, size).index_select(0, places.flatten()).view(problems, count, size)
    )


def refit(elites: Tensor, mean: Tensor, std: Tensor, momentum: float) -> tuple[Tensor, Tensor]:
    """The Gaussian of the elites, mixed with the one that they were drawn from.

    Args:
        elites: (B, E, T * A).
        mean: (B, 1, T * A), of the previous Gaussian.
        std: like ``mean`` or (T * A,).
        momentum: the weight of the previous Gaussian, in [0, 1).

    Returns:
        The new mean and standard deviation, (B, 1, T * A) each.
    """
    new_mean = elites.mean(1, keepdim=True)
    # Several times as fast as torch.std_mean, which does not vectorise over problems.
    new_std = (elites - new_mean).square_().mean(1, keepdim=True).sqrt_()
    if momentum == 0:
        return new_mean, new_std
    return new_mean.lerp(mean, momentum), new_std.lerp(std, momentum)
