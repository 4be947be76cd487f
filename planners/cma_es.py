"""CMA-ES: a Gaussian whose whole covariance adapts, by the library ``cma``."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.planners.template.checks import check, check_count
from armillary.planners.template.problem import Problem
from armillary.planners.template.search import Distribution, Search
from armillary.plugins import register


@dataclass(slots=True, kw_only=True)
class Strategies(Distribution):
    """One evolution strategy for each problem.

    Attributes:
        strategies: of the library, changed in place; they search in halves of the range.
        asked: B arrays (S, T * A), the candidates that they asked about last.
    """

    strategies: list[Any]
    asked: list[Any]


@register("planner", "cma_es")
@dataclass(frozen=True, kw_only=True)
class CMAES(Search[Strategies]):
    """Covariance matrix adaptation (Hansen & Ostermeier 2001), for short horizons and rough costs.

    Needs the extra ``cma``. The covariance has (T * A)^2 entries, and the library works on the CPU,
    one problem after the other.

    Attributes:
        samples: S, candidates per iteration; 0 takes the library's 4 + 3 log(T * A).
        iterations: how often the Gaussian is adapted.
        std: at the start, in halves of the range of the bounds.
        tolerance: see ``Search``; 0 never ends early.
    """

    samples: int = 0
    iterations: int = 60
    std: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.samples:
            check_count("samples", self.samples, 4)
        check("std", self.std, "positive and finite", 0 < self.std < float("inf"))
        _library()

    def start(self, problem: Problem) -> Strategies:
        """See ``Search``: around the warm start, which is the first candidate."""
        middle = (problem.low + problem.high) / 2
        inverse = torch.where(problem.half_range > 0, 1 / problem.half_range, 0.0)
        points = ((problem.mean[:, 0] - middle) * inverse).clamp(-1.0, 1.0).double().cpu().numpy()
        strategies = [
            self._strategy(point, generator)
            for point, generator in zip(points, problem.generators, strict=True)
        ]
        return self._asked(problem, strategies, problem.mean)

    def update(self, distribution: Strategies, candidates: Tensor, scores: Tensor) -> Strategies:
        """See ``Search``."""
        count = len(distribution.asked[0])
        # The library wants finite numbers; these lose to all others.
        told = scores[:, :count].double().nan_to_num(posinf=1e300).cpu().numpy()
        rounds = zip(distribution.strategies, distribution.asked, told, strict=True)
        for strategy, asked, costs in rounds:
            strategy.tell(list(asked), costs.tolist())
        return self._asked(distribution.problem, distribution.strategies, candidates[:, :0])

    def _strategy(self, point: np.ndarray, generator: torch.Generator) -> Any:
        seed = torch.randint(2**62, (), generator=generator, device=generator.device)
        normal = np.random.default_rng(int(seed)).standard_normal
        options = {
            "bounds": [-1.0, 1.0],
            "randn": lambda *shape: normal(shape),
            "seed": np.nan,
            "verbose": -9,
            "maxiter": self.iterations + 1,
        }
        if self.samples:
            options["popsize"] = self.samples
        return _library().CMAEvolutionStrategy(point, self.std, options)

    def _asked(self, problem: Problem, strategies: list[Any], others: Tensor) -> Strategies:
        """What the strategies ask about next, and further candidates."""
        asked = [np.stack(strategy.ask()) for strategy in strategies]
        middle = (problem.low + problem.high) / 2

        def actions(points: list[np.ndarray]) -> Tensor:
            return torch.from_numpy(np.stack(points)).to(middle) * problem.half_range

        means = actions([strategy.result.xfavorite for strategy in strategies]) + middle
        stds = actions([strategy.result.stds for strategy in strategies])
        return Strategies(
            problem,
            problem.clip(means.unsqueeze(1)),
            stds.unsqueeze(1),
            torch.cat([middle + actions(asked), others], 1),
            strategies=strategies,
            asked=asked,
        )


def _library() -> Any:
    try:
        return importlib.import_module("cma")
    except ImportError:
        raise ArmillaryError(
            "planner=cma_es needs the library cma: pip install 'armillary[cma]'"
        ) from None
