"""Times one plan with a world model: from an observation to an action.

Run with ``python benchmarks/plan_latency.py``; wall seconds, median and range of the repeats.
"""

from __future__ import annotations

import argparse
import statistics
import time

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces

from armillary.agent.mpc import MPCAgent
from armillary.planners.cem import CEM
from armillary.planners.costs import (
    Approach,
    LatentDistance,
    ObjectPosition,
    PixelDistance,
    SlotMatching,
)
from armillary.planners.objective import Objective, Term
from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.latent import LatentSimulator

OBJECTIVES = {
    "slot_matching": {"slots": Term(SlotMatching())},
    "latent": {"latent": Term(LatentDistance())},
    "object_position": {"position": Term(ObjectPosition()), "approach": Term(Approach(), 0.1)},
    "pixel": {"pixel": Term(PixelDistance())},
}


def main() -> None:
    """Prints one line per objective."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="pretrained/push_blocks")
    parser.add_argument("--objectives", nargs="+", default=[*OBJECTIVES][:3], choices=OBJECTIVES)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--horizon", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    env = gym.make("armillary/PushBlocks-v0")
    assert isinstance(env.action_space, spaces.Box)
    simulator = LatentSimulator(load_model(arguments.checkpoint), arguments.device)
    search = CEM(samples=arguments.samples, iterations=arguments.iterations, elites=30)
    print(f"{'objective':18}{'median s':>10}{'least s':>9}{'greatest s':>11}")
    for name in arguments.objectives:
        objective = Objective(OBJECTIVES[name])
        agent = MPCAgent(simulator, objective, search, env.action_space, arguments.horizon)
        times = [plan_seconds(agent, env, seed) for seed in range(arguments.repeats + 1)][1:]
        row = f"{statistics.median(times):10.3f}{min(times):9.3f}{max(times):11.3f}"
        print(f"{name:18}{row}")


def plan_seconds(agent: MPCAgent, env: gym.Env, seed: int) -> float:
    """Wall seconds from the first observation of an episode to an action."""
    observation, _ = env.reset(seed=seed)
    agent.reset([seed])
    started = time.perf_counter()
    agent.act([observation], np.ones(1, bool))
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
