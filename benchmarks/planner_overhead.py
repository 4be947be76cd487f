"""CPU time of one solve with a trivial score: what an optimizer costs apart from its simulator.

The ratio is to a plain loop in the same run: the median over pairs of solves in turn.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import torch
from torch import Tensor

from armillary.planners.cem import CEM
from armillary.planners.gradient import Gradient
from armillary.planners.icem import ICEM
from armillary.planners.mppi import MPPI
from armillary.planners.optimizer import ActionOptimizer, Bounds, Score
from armillary.planners.random_shooting import RandomShooting

_ACTIONS = 4
_SETTINGS = [(1, 5), (1, 12), (50, 5)]


class PlainLoop:
    """The reference: CEM in a dozen lines of torch, without bounds per action or checks."""

    def __init__(self, samples: int, iterations: int, elites: int) -> None:
        self.samples, self.iterations, self.elites = samples, iterations, elites

    def optimize(
        self, score: Score, init: Tensor, bounds: Bounds, generators: Sequence[torch.Generator]
    ) -> None:
        """Searches; the result is thrown away."""
        problems, horizon, actions = init.shape
        mean, std = init.unsqueeze(1), torch.full_like(init.unsqueeze(1), 0.5)
        size = (self.samples, horizon, actions)
        rows = torch.arange(problems).unsqueeze(1)
        for _ in range(self.iterations):
            noise = torch.stack([torch.randn(size, generator=g) for g in generators])
            candidates = (mean + std * noise).clamp_(-1.0, 1.0)
            best = score(candidates).topk(self.elites, 1, largest=False).indices
            chosen = candidates[rows, best]
            mean, std = chosen.mean(1, keepdim=True), chosen.std(1, keepdim=True)


def solve(optimizer: ActionOptimizer | PlainLoop, problems: int, horizon: int) -> float:
    """Thread CPU milliseconds of one cold solve, noise included.

    The score is the squared distance of the summed actions to a goal.
    """
    goal = torch.linspace(-1, 1, problems * _ACTIONS).view(problems, 1, _ACTIONS)
    bounds = Bounds(-torch.ones(_ACTIONS), torch.ones(_ACTIONS))
    init = torch.zeros(problems, horizon, _ACTIONS)
    generators = [torch.Generator().manual_seed(problem) for problem in range(problems)]

    def score(actions: Tensor) -> Tensor:
        return (actions.sum(2) - goal).square().sum(-1)

    started = time.thread_time()
    optimizer.optimize(score, init, bounds, generators)
    return 1e3 * (time.thread_time() - started)


def main() -> None:
    """Prints a table: a line per optimizer, problem count and horizon; solves alternate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--iterations", type=int, default=30)
    parser.add_argument("--elites", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=200, help="solves of a single problem")
    arguments = parser.parse_args()
    samples, iterations, elites = arguments.samples, arguments.iterations, arguments.elites
    optimizers: dict[str, ActionOptimizer | PlainLoop] = {
        "plain loop": PlainLoop(samples, iterations, elites),
        "cem": CEM(samples=samples, iterations=iterations, elites=elites),
        "icem": ICEM(samples=samples, iterations=iterations, elites=elites),
        "random_shooting": RandomShooting(samples=samples, iterations=iterations),
        "mppi": MPPI(samples=samples, iterations=iterations),
        "gradient": Gradient(restarts=samples, iterations=iterations),
    }
    torch.set_num_threads(1)
    print(f"{samples} samples, {iterations} iterations, A={_ACTIONS}, one thread, CPU ms per solve")
    print(f"{'optimizer':16}{'problems':>9}{'horizon':>9}{'best':>9}{'median':>9}{'ratio':>9}")
    for problems, horizon in _SETTINGS:
        times: dict[str, list[float]] = {name: [] for name in optimizers}
        for _ in range(max(10, arguments.repeats // problems) + 1):
            for name, optimizer in optimizers.items():
                times[name].append(solve(optimizer, problems, horizon))
        plain = times["plain loop"][1:]
        for name, (_, *rest) in times.items():
            ratio = statistics.median(a / b for a, b in zip(rest, plain, strict=True))
            best, median = min(rest), statistics.median(rest)
            print(f"{name:16}{problems:9}{horizon:9}{best:9.2f}{median:9.2f}{ratio:9.2f}")


if __name__ == "__main__":
    main()
