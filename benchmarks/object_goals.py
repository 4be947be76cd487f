"""Compares goals that an image shows with the same goals said by coordinates, on PushBlocks.

``python benchmarks/object_goals.py --episodes 50``: every block is named by the pixel at which it
is and belongs where the task's goal has it; the task judges both. An episode whose blocks cannot be
told apart by the model counts as failed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import gymnasium as gym

from armillary.agent.episodes import run_episodes
from armillary.agent.mpc import MPCAgent
from armillary.agent.statistics import wilson_interval
from armillary.errors import ArmillaryError
from armillary.planners.cem import CEM
from armillary.planners.costs import Approach, ObjectPosition
from armillary.planners.objective import Objective, Term
from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.goals.image import ImageGoal
from armillary.world_models.goals.item import Item, read_items
from armillary.world_models.goals.object import ObjectGoal
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.simulator import Observation


class TasksGoal(ObjectGoal):
    """Every block by the place where it is, to the place where the task wants it."""

    def items_of(self, observation: Observation) -> tuple[Item, ...]:
        """Read off the true places."""
        pairs = zip(
            observation["achieved_goal"].reshape(-1, 2),
            observation["desired_goal"].reshape(-1, 2),
            strict=True,
        )
        return read_items([{"pixel": at.tolist(), "to": to.tolist()} for at, to in pairs if at[0]])


def main(words: Sequence[str] | None = None) -> None:
    """Prints a line for each way of saying the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="pretrained/push_blocks")
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--num-blocks", type=int, default=3)
    parser.add_argument("--num-slots", type=int)
    given = parser.parse_args(words)
    simulator = LatentSimulator(load_model(given.checkpoint, num_slots=given.num_slots))
    objective = Objective({"object": Term(ObjectPosition()), "approach": Term(Approach(), 0.1)})

    def make_env() -> gym.Env:
        return gym.make(
            "armillary/PushBlocks-v0", max_episode_steps=20, num_blocks=given.num_blocks
        )

    space: Any = make_env().action_space
    placeholder = [{"pixel": [0.5, 0.5], "to": [0.5, 0.5]}]
    for name, reader in (("image", ImageGoal()), ("coordinates", TasksGoal(placeholder))):
        search = CEM(iterations=5, std=0.7, noise_exponent=2.0)
        agent = MPCAgent(simulator, objective, search, space, 12, 2, goal_reader=reader)
        solved = refused = 0
        for seed in range(given.seed, given.seed + given.episodes):
            try:
                solved += run_episodes(make_env, agent, [seed], 1)[0].success
            except ArmillaryError as error:
                refused += 1
                print(f"seed {seed}: {error}")
        low, high = wilson_interval(solved, given.episodes)
        print(
            f"{name}: {solved} of {given.episodes} ({low:.0%} to {high:.0%}), {refused} refused",
            flush=True,
        )


if __name__ == "__main__":
    main()
