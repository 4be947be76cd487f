"""Counts how often the slot that shows a thing changes from one step of an episode to the next.

Run with ``python benchmarks/identity_switches.py``: PushBlocks under its scripted pushes. A thing's
slot is the one whose mask covers most of the thing's true pixels; things of fewer than four are
left out. ``fresh`` encodes the last frames of the context anew at every step, ``carried`` filters
every frame into one belief. Positions are compared with the centres of the true pixels.
"""

from __future__ import annotations

import argparse

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from armillary.envs.push_blocks.environment import PushBlocksEnv
from armillary.envs.push_blocks.policies import PushPolicy
from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.imagine import Imaginer
from armillary.world_models.simulator import View
from armillary.world_models.state import mask_centroids

_LEAST_PIXELS = 4


def main() -> None:
    """Prints one line per way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="pretrained/push_blocks")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    core = Imaginer(load_model(arguments.checkpoint).eval())
    context = core.model.context_length
    played = [
        play(seed, arguments.steps, core.model.image_size) for seed in range(arguments.episodes)
    ]
    frames, actions, labels = (torch.stack(parts) for parts in zip(*played, strict=True))
    before = frames[:, :1].expand(-1, context - 1, -1, -1, -1)
    frames = torch.cat([before, frames], 1)
    actions = torch.cat(
        [actions.new_zeros(len(actions), context - 1, actions.shape[2]), actions], 1
    )
    with torch.no_grad():
        states = core.filter(frames, actions)
        carried = states.map(lambda tensor: tensor[:, context - 1 :])
        last = [
            core.encode(frames[:, t : t + context], actions[:, t : t + context - 1])
            for t in range(labels.shape[1])
        ]
        fresh = type(states).stack(last, dim=1)
        print(f"{'belief':10}{'switches':>10}{'of':>8}{'episodes with one':>20}{'error':>8}")
        for name, state in (("fresh", fresh), ("carried", carried)):
            view = View(state.flatten(2), tuple(labels.shape[:2]), core)
            switches, chances, error = count(view, labels)
            some = int((switches > 0).sum())
            print(f"{name:10}{int(switches.sum()):10}{chances:8}{some:20}{error:8.3f}")


def play(seed: int, steps: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Frames (T, 3, H, W), actions (T - 1, A) and true labels (T, H, W) of an episode."""
    env = gym.make("armillary/PushBlocks-v0", image_size=size, terminate_on_success=False)
    task = env.unwrapped
    assert isinstance(task, PushBlocksEnv)
    policy = PushPolicy()
    policy.reset(np.random.default_rng(seed))
    observation, _ = env.reset(seed=seed)
    images, taken, labels = [observation["image"]], [], [task.segmentation()]
    for _ in range(steps):
        taken.append(policy.act(task.snapshot()))
        images.append(env.step(taken[-1])[0]["image"])
        labels.append(task.segmentation())
    env.close()
    frames = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    actions = torch.from_numpy(np.stack(taken)).float()
    return frames, actions, torch.from_numpy(np.stack(labels)).long()


def count(view: View, labels: Tensor) -> tuple[Tensor, int, float]:
    """Switches per episode (N,), of how many, and the median distance in image widths."""
    things = functional.one_hot(labels).movedim(-1, 2)[:, :, 1:].float()
    pixels = things.sum((-1, -2))
    covered = torch.einsum("ntohw,ntkhw->ntok", things, view.masks.squeeze(3))
    slot = covered.argmax(-1)
    seen = pixels >= _LEAST_PIXELS
    both = seen[:, 1:] & seen[:, :-1]
    switched = (slot[:, 1:] != slot[:, :-1]) & both
    places = view.positions.gather(2, slot.unsqueeze(-1).expand(-1, -1, -1, 2))
    error = (places - mask_centroids(things.unsqueeze(3))).norm(dim=-1)[seen].median()
    return switched.sum((1, 2)), int(both.sum()), float(error)


if __name__ == "__main__":
    main()
