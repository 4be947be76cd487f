"""Rows of searches alone, on a score that costs next to nothing, beside a loop without checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from armillary.experiments.evaluation.speed import Target
from armillary.experiments.speed.cases import Case, Setting, Work
from armillary.planners.cem import CEM
from armillary.planners.gradient import Gradient
from armillary.planners.icem import ICEM
from armillary.planners.mppi import MPPI
from armillary.planners.optimizer import ActionOptimizer, Bounds, Score
from armillary.planners.random_shooting import RandomShooting

_ACTIONS = 4
_DECAY = 1.25
_REACHED = {("cem", 1, 5): 0.0024, ("cem", 1, 12): 0.0040, ("cem", 50, 5): 0.066}
"""Seconds that searches of the default size take at most, on one core of a machine of 2026."""


def cases(setting: Setting) -> Iterator[Case]:
    """Every search by problems and horizon."""
    for problems, horizon in setting.size.searched:
        for name in SEARCHES:
            limit = _REACHED.get((name, problems, horizon))
            targets = (Target(of="seconds", most=limit),) if limit else ()
            yield solve(setting, name, problems, horizon, targets)


def solve(
    setting: Setting, name: str, problems: int, horizon: int, targets: tuple[Target, ...] = ()
) -> Case:
    """The row of cold solves, noise included.

    The score is the squared distance of the summed actions to a goal.
    """
    size, device = setting.size, setting.device
    settings = {"problems": problems, "horizon": horizon, "samples": size.candidates}
    settings |= {"iterations": size.search, "threads": 1}

    def make() -> Work:
        ours, plain = SEARCHES[name](size.candidates, size.search)
        goal = torch.linspace(-1, 1, problems * _ACTIONS).view(problems, 1, _ACTIONS).to(device)
        high = torch.ones(_ACTIONS, device=device)
        bounds = Bounds(-high, high)
        init = torch.zeros(problems, horizon, _ACTIONS, device=device)

        def score(actions: Tensor) -> Tensor:
            return (actions.sum(2) - goal).square().sum(-1)

        def drawn() -> list[torch.Generator]:
            return [torch.Generator(device).manual_seed(problem) for problem in range(problems)]

        return Work(
            lambda: ours.optimize(score, init, bounds, drawn()),
            lambda: plain(score, init, drawn()),
        )

    return Case(
        "search",
        name,
        settings,
        "solves",
        problems,
        make,
        threads=1,
        ceiling="",
        targets=targets,
    )


def plain_cem(
    score: Score,
    init: Tensor,
    generators: Sequence[torch.Generator],
    *,
    samples: Sequence[int],
    elites: int,
) -> Tensor:
    """CEM in a dozen lines of torch: a population of every size, without bounds of its own."""
    mean, std = init.unsqueeze(1), torch.full_like(init.unsqueeze(1), 0.5)
    rows = torch.arange(len(init), device=init.device).unsqueeze(1)
    for count in samples:
        candidates = _around(mean, std, count, generators)
        best = score(candidates).topk(min(elites, count), 1, largest=False).indices
        chosen = candidates[rows, best]
        mean, std = chosen.mean(1, keepdim=True), chosen.std(1, keepdim=True)
    return mean.squeeze(1)


def plain_mppi(
    score: Score, init: Tensor, generators: Sequence[torch.Generator], *, samples: Sequence[int]
) -> Tensor:
    """MPPI: the mean of candidates, weighted by the exponential of their scores."""
    mean, std = init.unsqueeze(1), torch.full_like(init.unsqueeze(1), 0.5)
    for count in samples:
        candidates = _around(mean, std, count, generators)
        weights = (-score(candidates)).softmax(1)[..., None, None]
        mean = (weights * candidates).sum(1, keepdim=True)
    return mean.squeeze(1)


def plain_shooting(
    score: Score, init: Tensor, generators: Sequence[torch.Generator], *, samples: Sequence[int]
) -> Tensor:
    """The best of all that was drawn."""
    mean, std = init.unsqueeze(1), torch.full_like(init.unsqueeze(1), 0.5)
    rows = torch.arange(len(init), device=init.device)
    best, least = init, torch.full((len(init),), torch.inf, device=init.device)
    for count in samples:
        candidates = _around(mean, std, count, generators)
        lowest, index = score(candidates).min(1)
        better = (lowest < least)[:, None, None]
        best = torch.where(better, candidates[rows, index], best)
        least = lowest.minimum(least)
    return best


def plain_gradient(
    score: Score, init: Tensor, generators: Sequence[torch.Generator], *, samples: Sequence[int]
) -> Tensor:
    """Adam on all candidates at once."""
    std = torch.full_like(init.unsqueeze(1), 0.5)
    candidates = _around(init.unsqueeze(1), std, samples[0], generators).requires_grad_()
    adam = torch.optim.Adam([candidates], 0.1)
    for _ in samples:
        adam.zero_grad()
        score(candidates).sum().backward()
        adam.step()
        with torch.no_grad():
            candidates.clamp_(-1.0, 1.0)
    with torch.no_grad():
        return candidates[torch.arange(len(init)), score(candidates).argmin(1)]


def _around(mean: Tensor, std: Tensor, count: int, generators: Sequence[torch.Generator]) -> Tensor:
    size = (count, *mean.shape[2:])
    noise = torch.stack([torch.randn(size, generator=g, device=g.device) for g in generators])
    return (mean + std * noise).clamp_(-1.0, 1.0)


Plain = Callable[[Score, Tensor, Sequence[torch.Generator]], Tensor]


def elites_of(samples: int) -> int:
    """A tenth, at least two."""
    return max(2, samples // 10)


def _cem(samples: int, iterations: int) -> tuple[ActionOptimizer, Plain]:
    elites = elites_of(samples)
    plain = partial(plain_cem, samples=[samples] * iterations, elites=elites)
    return CEM(samples=samples, iterations=iterations, elites=elites), plain


def _icem(samples: int, iterations: int) -> tuple[ActionOptimizer, Plain]:
    elites = elites_of(samples)
    counts = [max(2 * elites, int(samples / _DECAY**i)) for i in range(iterations)]
    plain = partial(plain_cem, samples=counts, elites=elites)
    return ICEM(samples=samples, iterations=iterations, elites=elites, decay=_DECAY), plain


def _mppi(samples: int, iterations: int) -> tuple[ActionOptimizer, Plain]:
    plain = partial(plain_mppi, samples=[samples] * iterations)
    return MPPI(samples=samples, iterations=iterations), plain


def _shooting(samples: int, iterations: int) -> tuple[ActionOptimizer, Plain]:
    plain = partial(plain_shooting, samples=[samples] * iterations)
    return RandomShooting(samples=samples, iterations=iterations), plain


def _gradient(samples: int, iterations: int) -> tuple[ActionOptimizer, Plain]:
    plain = partial(plain_gradient, samples=[samples] * iterations)
    return Gradient(restarts=samples, iterations=iterations), plain


SEARCHES = {
    "cem": _cem,
    "icem": _icem,
    "mppi": _mppi,
    "random_shooting": _shooting,
    "gradient": _gradient,
}
"""By name: ours and the plain formulation, of so many samples and iterations."""
