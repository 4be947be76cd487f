"""Frames per second of PushBlocks, rendering included, on one core, with random actions.

Run with ``python benchmarks/environment_speed.py``; median of the repeats, resets included.
"""

from __future__ import annotations

import argparse
import statistics
import time

import gymnasium as gym


def main() -> None:
    """Prints one line per image size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    for image_size in (32, 64):
        env = gym.make("armillary/PushBlocks-v0", image_size=image_size)
        env.action_space.seed(0)
        speeds = [frames_per_second(env, arguments.episodes) for _ in range(arguments.repeats)]
        print(f"{image_size} px: {statistics.median(speeds):.0f} frames/s")


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
