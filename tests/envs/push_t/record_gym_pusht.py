"""Records ``gym_pusht.json``: what the field's own PushT does while its T is pushed about.

In an environment of its own, since gym-pusht needs pymunk below 7:

    pip install gym-pusht==0.1.8
    python tests/envs/push_t/record_gym_pusht.py tests/envs/push_t/gym_pusht.json

Targets are drawn near the T and held for five control steps, so that most of them push it.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path

import gym_pusht  # noqa: F401 (makes the environment known)
import gymnasium as gym
import numpy as np

SEEDS, STEPS, HOLD, SPREAD = 8, 100, 5, 60.0
LOW, HIGH = 100.0, 412.0


def main(path: Path) -> None:
    """Writes targets, the state before the first, and the states after every control step."""
    env = gym.make("gym_pusht/PushT-v0").unwrapped
    episodes = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        agent = 256.0 + 180.0 * rng.choice([-1.0, 1.0], 2)
        start = [*agent.tolist(), *rng.uniform(200.0, 312.0, 2), rng.uniform(-np.pi, np.pi)]
        env.reset(options={"reset_to_state": start})
        states, targets = [state_of(env)], []
        for step in range(STEPS):
            if step % HOLD == 0:
                middle = np.array(env.block.local_to_world(env.block.center_of_gravity))
                target = (middle + rng.normal(0.0, SPREAD, 2)).clip(LOW, HIGH).round()
            env.step(target)
            states.append(state_of(env))
            targets.append(target.tolist())
        rounded = [[round(value, 6) for value in state] for state in states]
        episodes.append({"seed": seed, "targets": targets[::HOLD], "states": rounded})
    versions = {name: importlib.metadata.version(name) for name in ("gym-pusht", "pymunk")}
    told = {"versions": versions, "hold": HOLD, "episodes": episodes}
    path.write_text(json.dumps(told, separators=(",", ":")) + "\n", encoding="utf-8")


def state_of(env: gym.Env) -> list[float]:
    """x and y of agent and T, its angle, then the velocities of both."""
    agent, block = env.agent, env.block
    return [
        *agent.position,
        *block.position,
        block.angle,
        *agent.velocity,
        *block.velocity,
        block.angular_velocity,
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
