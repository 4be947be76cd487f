"""Times 16 problems planned together and one by one, for every planner, on a small problem.

Run with ``python benchmarks/planned_together.py``; milliseconds of the processor on the CPU, of the
clock elsewhere, medians of the repeats. The scenes are PushBlocks seen by the bundled checkpoint.
Searches have so few candidates that one problem alone leaves the machine idle, as the default ones
do on an accelerator.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import torch

from armillary import plugins
from armillary.planners.costs import Approach, ObjectPosition
from armillary.planners.objective import Objective, Term
from armillary.planners.optimizer import Bounds
from armillary.planners.situation import Situation
from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.goals.image import ImageGoal
from armillary.world_models.latent import LatentSimulator

SETTINGS: dict[str, dict[str, Any]] = {
    "random_shooting": {"samples": 8, "iterations": 4},
    "cem": {"samples": 8, "iterations": 4, "elites": 2},
    "icem": {"samples": 8, "iterations": 4, "elites": 2},
    "mppi": {"samples": 8, "iterations": 4},
    "predictive_sampling": {"samples": 8},
    "gradient": {"restarts": 2, "iterations": 4},
    "cem_gradient": {"samples": 8, "iterations": 4, "steps": 2, "elites": 2, "refined": 2},
    "cma_es": {"samples": 8, "iterations": 4},
    "categorical_cem": {"samples": 8, "iterations": 4, "elites": 2},
    "collocation": {"restarts": 2, "iterations": 4, "period": 2, "lifted": 2},
    "two_level": {"samples": 8, "iterations": 4, "elites": 2, "lower_samples": 8},
    "retrieval": {"nearest": 8},
    "inverse_dynamics": {},
}


def main() -> None:
    """Prints one line per planner."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="pretrained/push_blocks")
    parser.add_argument("--planners", nargs="+", default=[*SETTINGS], choices=SETTINGS)
    parser.add_argument("--problems", type=int, default=16)
    parser.add_argument("--horizon", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    simulator = LatentSimulator(load_model(arguments.checkpoint), arguments.device)
    print(f"{'planner':20}{'one by one':>12}{'together':>10}{'ratio':>8}")
    for name in arguments.planners:
        alone = planning(name, simulator, 1, arguments.horizon)
        together = planning(name, simulator, arguments.problems, arguments.horizon)
        pairs = [
            (seconds(alone, simulator.device), seconds(together, simulator.device))
            for _ in range(arguments.repeats + 2)
        ][2:]
        one, all_at_once = (1e3 * statistics.median(times) for times in zip(*pairs, strict=True))
        one *= arguments.problems
        print(f"{name:20}{one:12.1f}{all_at_once:10.1f}{all_at_once / one:8.2f}")


def planning(
    name: str, simulator: LatentSimulator, problems: int, horizon: int
) -> Callable[[], Any]:
    """Plans for the first scenes of as many episodes."""
    env = gym.make("armillary/PushBlocks-v0")
    seen = [env.reset(seed=seed)[0] for seed in range(problems)]
    state = simulator.encode([[one] * 2 for one in seen], torch.zeros(problems, 1, 2).numpy())
    ends = torch.ones(2, device=simulator.device)
    goal = ImageGoal().read(simulator, state, seen, -ends, ends)
    objective = Objective({"position": Term(ObjectPosition()), "approach": Term(Approach(), 0.1)})
    generators = [torch.Generator(simulator.device).manual_seed(seed) for seed in range(problems)]
    asked = Situation(simulator, state, objective, goal, generators)
    init = torch.zeros(problems, horizon, 2, device=simulator.device)
    bounds = Bounds.one_hot(2) if name == "categorical_cem" else Bounds(-ends, ends)
    planner = plugins.find("planner", name).thing(**SETTINGS[name])
    return lambda: planner.optimize(asked, init, bounds, generators)


def seconds(plan: Callable[[], Any], device: torch.device) -> float:
    """Of the processor, or where another device works of the clock."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    began = clock()
    plan().cost.tolist()  # waits for the device
    return clock() - began


if __name__ == "__main__":
    main()
