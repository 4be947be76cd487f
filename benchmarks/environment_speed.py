"""Frames per second of our worlds, rendering and resets included, on one core.

Run with ``python -m benchmarks.environment_speed``; median of the repeats. Actions are random, or
those of the policy that collects data where random ones hardly ever move anything.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import gymnasium as gym
import numpy as np

from armillary.envs.stack_blocks.policies import StackPolicy
from armillary.envs.task import Policy, member
from armillary.envs.towel_pick.policies import TowelPolicy

WALLS = [[0.36, 0.47, 0.64, 0.53], [0.47, 0.53, 0.53, 0.68]]
"""Those of ``task=push_blocks_walls``."""
CASES: list[tuple[str, dict[str, Any], Policy | None]] = [
    *(("PushBlocks", {"image_size": size}, None) for size in (32, 64, 96, 128)),
    ("PushBlocks", {"image_size": 64, "num_blocks": 2, "walls": WALLS}, None),
    *(("SpriteGoals", {"image_size": size}, None) for size in (64, 96, 128)),
    *(("PushT", {"image_size": size}, None) for size in (64, 96, 128)),
    *(
        ("StackBlocks", {"image_size": size, "supersampling": each}, StackPolicy())
        for size in (64, 96, 128)
        for each in (1, 2)
    ),
    *(
        ("TowelPick", {"image_size": size, "supersampling": each}, TowelPolicy())
        for size in (64, 96, 128)
        for each in (1, 2)
    ),
]


def main() -> None:
    """Prints one line per world and image size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    for name, settings, policy in CASES:
        env = gym.make(f"armillary/{name}-v0", **settings)
        env.action_space.seed(0)
        speeds = [
            frames_per_second(env, policy, arguments.episodes) for _ in range(arguments.repeats)
        ]
        print(f"{name} {settings}: {statistics.median(speeds):.0f} frames/s")


def frames_per_second(env: gym.Env, policy: Policy | None, episodes: int) -> float:
    """CPU frames per second over whole episodes."""
    started, frames = time.process_time(), 0
    for seed in range(episodes):
        env.reset(seed=seed)
        if policy is not None:
            policy.reset(np.random.default_rng(seed))
        ended = False
        while not ended:
            if policy is None:
                action = env.action_space.sample()
            else:
                action = policy.act(member(env, "snapshot")())
            _, _, terminated, truncated, _ = env.step(action)
            frames += 1
            ended = terminated or truncated
    return frames / (time.process_time() - started)


if __name__ == "__main__":
    main()
