"""The cross-entropy method for discrete actions: probabilities of options instead of a Gaussian."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

import torch
from torch import Tensor

from armillary.planners.template.checks import check_count, check_fitting
from armillary.planners.template.choices import Choices
from armillary.planners.template.problem import Problem
from armillary.planners.template.search import Distribution, Search, best
from armillary.plugins import register


@dataclass(slots=True, kw_only=True)
class Options(Distribution):
    """Independent categorical distributions for every step and choice.

    Attributes:
        choices: how they are written as actions.
        probabilities: (B, T, G, n), 0 for options that there are not.
    """

    choices: Choices
    probabilities: Tensor


@register("planner", "categorical_cem")
@dataclass(frozen=True, kw_only=True)
class CategoricalCEM(Search[Options]):
    """Cross-entropy method over Discrete and MultiDiscrete actions (Rubinstein & Kroese 2004).

    All options are equally likely at first; the warm start and the proposals are candidates, the
    nearest options standing for them. Needs bounds with ``choices``.

    Attributes:
        samples: S, candidates per iteration.
        iterations: how often the probabilities are fitted.
        elites: E, the best candidates of an iteration, which they are fitted to.
        momentum: weight of the previous probabilities in the next, in [0, 1).
        tolerance: see ``Search``; 0 never ends early.
    """

    discrete: ClassVar[bool] = True

    samples: int = 300
    elites: int = 30
    momentum: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("samples", self.samples, 2)
        check_fitting(self.samples, self.elites, self.momentum)

    def start(self, problem: Problem) -> Options:
        """See ``Search``: uniform; the warm start is the first candidate."""
        choices = problem.choices
        assert choices is not None
        even = choices.known.to(problem.mean) / choices.known.sum(1, keepdim=True)
        probabilities = even.expand(len(problem.mean), problem.shape[0], -1, -1)
        return self._drawn(problem, choices, probabilities, problem.mean)

    def update(self, distribution: Options, candidates: Tensor, scores: Tensor) -> Options:
        """See ``Search``."""
        problem, choices = distribution.problem, distribution.choices
        elites = best(candidates, scores, self.elites).unflatten(2, problem.shape)
        options = choices.options(elites).unsqueeze(-1)
        numbers = torch.arange(choices.codes.shape[1], device=options.device)
        shares = (options == numbers).to(candidates).mean(1)
        probabilities = shares.lerp(distribution.probabilities, self.momentum)
        return self._drawn(problem, choices, probabilities, candidates[:, :0])

    def _drawn(
        self, problem: Problem, choices: Choices, probabilities: Tensor, others: Tensor
    ) -> Options:
        """A distribution that carries candidates drawn from it, and others."""
        shape = (self.samples - others.shape[1], *probabilities.shape[1:3], 1)
        uniform = [
            torch.rand(shape, generator=generator, device=generator.device, dtype=others.dtype)
            for generator in problem.generators
        ]
        drawn = torch.stack(uniform).to(others)
        # Summed one by one, since cumsum on CUDA is not the same every time; the last option takes
        # what rounding leaves of the probabilities' sum.
        ends = torch.stack([*accumulate(probabilities.unbind(-1), torch.add)], -1)
        last = choices.known.sum(1) - 1
        options = (drawn >= ends.unsqueeze(1)).sum(-1).minimum(last)
        mean = (probabilities.unsqueeze(-1) * choices.codes).sum((2, 3))
        square = (probabilities.unsqueeze(-1) * choices.codes.square()).sum(3)
        own = (probabilities.unsqueeze(-1) * choices.codes).sum(3)
        std = (square - own.square()).clamp_min(0.0).sum(2).sqrt()
        return Options(
            problem,
            mean.flatten(1).unsqueeze(1),
            std.flatten(1).unsqueeze(1),
            torch.cat([others, choices.actions(options).flatten(2)], 1),
            choices=choices,
            probabilities=probabilities,
        )
