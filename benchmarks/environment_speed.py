"""Frames per second of the environments, rendering included, on one core, with random actions.

Run with ``python benchmarks/environment_speed.py``; median of the repeats, resets included.
"""

from __future__ import annotations

import argparse
import statistics
import time

import gymnasium as gym

SIZES = [("PushBlocks", 32), ("PushBlocks", 64), ("PushT", 64), ("PushT", 96), ("PushT", 128)]


def main() -> None:
    """Prints one line per environment and image size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    for name, image_size in SIZES:
        env = gym.make(f"armillary:armillary/{name}-v0", image_size=image_size)
        env.action_space.seed(0)
        speeds = [frames_per_second(env, arguments.episodes) for _ in range(arguments.repeats)]
        print(f"{name}, {image_size} px: {statistics.median(speeds):.0f} frames/s")


def frames_per_second(env: gym.Env, episodes: int) -> float:
    """CPU frames per second over whole episodes."""
    started, frames = time.process_time(), 0
    for seed in range(episodes):
        env.reset(seed=seed)
        ended = False
        while not ended:
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            frames += 1
            ended = terminated or truncated
    return frames / (time.process_time() - started)


if __name__ == "__main__":
    main()
