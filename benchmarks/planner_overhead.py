"""CPU time of one solve with a trivial score: what an optimizer costs apart from its simulator."""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import Tensor

from planners.cem import CEM
from planners.icem import ICEM
from planners.optimizer import ActionOptimizer, Bounds
from planners.random_shooting import RandomShooting

_ACTIONS = 4
_SETTINGS = [(1, 5), (1, 12), (50, 5)]


def solve_seconds(
    optimizer: ActionOptimizer, problems: int, horizon: int, repeats: int
) -> list[float]:
    """Thread CPU seconds of each of ``repeats`` cold solves, noise included.

    The score is the squared distance of the summed actions to a goal.
    """
    goal = torch.linspace(-1, 1, problems * _ACTIONS).view(problems, 1, _ACTIONS)
    bounds = Bounds(-torch.ones(_ACTIONS), torch.ones(_ACTIONS))
    init = torch.zeros(problems, horizon, _ACTIONS)
    generators = [torch.Generator().manual_seed(problem) for problem in range(problems)]

    def score(actions: Tensor) -> Tensor:
        return (actions.sum(2) - goal).square().sum(-1)

    seconds = []
    for _ in range(repeats + 1):
        started = time.thread_time()
        optimizer.optimize(score, init, bounds, generators)
        seconds.append(time.thread_time() - started)
    return seconds[1:]


def main() -> None:
    """Prints a table: a line per optimizer, problem count and horizon."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--iterations", type=int, default=30)
    parser.add_argument("--elites", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=200, help="solves of a single problem")
    arguments = parser.parse_args()
    samples, iterations = arguments.samples, arguments.iterations
    optimizers: dict[str, ActionOptimizer] = {
        "cem": CEM(samples=samples, iterations=iterations, elites=arguments.elites),
        "icem": ICEM(samples=samples, iterations=iterations, elites=arguments.elites),
        "random_shooting": RandomShooting(samples=samples, iterations=iterations),
    }
    torch.set_num_threads(1)
    print(f"{samples} samples, {iterations} iterations, A={_ACTIONS}, one thread, CPU ms per solve")
    print(f"{'optimizer':16} {'problems':>8} {'horizon':>8} {'best':>8} {'median':>8}")
    for name, optimizer in optimizers.items():
        for problems, horizon in _SETTINGS:
            repeats = max(10, arguments.repeats // problems)
            times = [1e3 * s for s in solve_seconds(optimizer, problems, horizon, repeats)]
            best, median = min(times), statistics.median(times)
            print(f"{name:16} {problems:8} {horizon:8} {best:8.2f} {median:8.2f}")


if __name__ == "__main__":
    main()
