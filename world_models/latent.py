"""LatentSimulator: a learned world model behind the simulator interface."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Generic

import numpy as np
import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.world_models.assignment import assign
from armillary.world_models.device import resolve_device
from armillary.world_models.model import WorldModel
from armillary.world_models.simulator import Goal, Observation, Rollout
from armillary.world_models.state import Scene, State

logger = logging.getLogger(__name__)

_PROBE_STEPS = 2
_PRESENT = 0.5


class LatentSimulator(Generic[State]):
    """Imagines with a world model; chunks, particles and precision are decided here alone.

    Everything from the observation to the scores stays on the device.

    Args:
        model: moved to the device and put in evaluation mode.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``.
        particles: P, stochastic rollouts per candidate; 1 imagines the mean.
        chunk: states that are stepped or decoded at a time.
        precision: ``float32`` or ``bfloat16`` (autocast).
        compile: whether ``torch.compile`` prepares the model's step.
    """

    def __init__(
        self,
        model: WorldModel[State],
        device: str = "auto",
        particles: int = 1,
        chunk: int = 4096,
        precision: str = "float32",
        compile: bool = False,
    ) -> None:
        if particles < 1 or chunk < 1:
            raise ArmillaryError(f"particles and chunk must be >= 1, got {particles} and {chunk}")
        if precision not in ("float32", "bfloat16"):
            raise ArmillaryError(f"precision must be 'float32' or 'bfloat16', got {precision!r}")
        self.device = resolve_device(device)
        self.model = model.to(self.device).eval()
        self.context_length = model.context_length
        self.action_size = model.action_size
        self.particles = particles
        self._chunk = chunk
        self._autocast = torch.autocast(
            self.device.type, torch.bfloat16, enabled=precision == "bfloat16"
        )
        self._imagine = torch.compile(model.rollout) if compile else model.rollout

    def encode(self, histories: Sequence[Sequence[Observation]], actions: np.ndarray) -> State:
        """See ``Simulator``; reads ``image``. Raises ArmillaryError for frames of another kind."""
        frames = self._frames([[step["image"] for step in history] for history in histories])
        with torch.no_grad(), self._autocast:
            return self.model.encode(frames, torch.as_tensor(actions).float().to(self.device))

    def goal(self, state: State, observations: Sequence[Observation]) -> Goal[State]:
        """See ``Simulator``; reads ``goal_image``.

        The start's slots are matched to the goal's by how they look, with an exact assignment.
        The effector is the slot whose imagined place depends most on the action, the background the
        one with the largest mask; what else is seen is an object.
        """
        context = self.context_length
        images = [[observation["goal_image"]] * context for observation in observations]
        still = torch.zeros(len(images), context - 1, self.action_size, device=self.device)
        with torch.no_grad(), self._autocast:
            goal_state = self.model.encode(self._frames(images), still)
            start = self.model.decode(state)
            view = Rollout(goal_state, (len(images),), self.model, self._chunk)
            looks, goal_looks = _appearance(start), _appearance(view.scene)
            distance = (looks.unsqueeze(2) - goal_looks.unsqueeze(1)).square().sum(-1)
            assignment, _ = assign(distance)
            effector = self._effector(state)
        present = (start.masks.amax((-1, -2, -3)) > _PRESENT).float()
        area = start.masks.sum((-1, -2, -3))
        background = torch.zeros_like(area).scatter_(1, area.argmax(1, keepdim=True), 1.0)
        objects = present * (1.0 - background) * (1.0 - effector)
        empty = int((objects.sum(1) == 0).sum())
        if empty:
            logger.warning("no object was found in %d of %d scenes", empty, len(objects))
        return Goal(view, assignment, objects, effector)

    def rollout(
        self,
        state: State,
        actions: Tensor,
        generators: Sequence[torch.Generator] | None = None,
    ) -> Rollout[State]:
        """See ``Simulator``. Raises ArmillaryError where particles lack their generators."""
        problems, candidates, horizon, _ = actions.shape
        count = candidates * self.particles
        shape = (problems, candidates, self.particles, horizon)
        flat = actions.repeat_interleave(self.particles, 1).flatten(0, 1)
        start = state.repeat(count)
        noise = None
        if self.particles > 1:
            if generators is None or len(generators) != problems:
                raise ArmillaryError(f"{self.particles} particles need one generator per problem")
            size = (count, horizon, *self.model.noise_shape)
            drawn = [torch.randn(size, generator=g, device=g.device) for g in generators]
            noise = torch.cat(drawn).to(self.device)
        parts = []
        with torch.no_grad(), self._autocast:
            for first in range(0, len(flat), self._chunk):
                rows = slice(first, first + self._chunk)
                part_noise = None if noise is None else noise[rows]
                parts.append(self._imagine(start.index(rows), flat[rows], part_noise))
        states = type(start).cat(parts).flatten(2)
        return Rollout(states, shape, self.model, self._chunk)

    def _effector(self, state: State) -> Tensor:
        """(B, K) one-hot: the slot that opposite actions move furthest apart."""
        units = torch.eye(self.action_size, device=self.device)
        probes = torch.cat([units, -units]).unsqueeze(1).expand(-1, _PROBE_STEPS, -1)
        problems = len(state)
        actions = probes.repeat(problems, 1, 1)
        imagined = self.model.rollout(state.repeat(len(probes)), actions)
        positions = self.model.positions(imagined.map(lambda tensor: tensor[:, -1]))
        positions = positions.unflatten(0, (problems, len(probes)))
        spread = (positions - positions.mean(1, keepdim=True)).square().sum((1, -1))
        return torch.zeros_like(spread).scatter_(1, spread.argmax(1, keepdim=True), 1.0)

    def _frames(self, images: Sequence[Sequence[np.ndarray]]) -> Tensor:
        """Images (H, W, 3) uint8 -> (B, C, 3, H, W) float32 on the device."""
        stacked = np.stack([np.stack(row) for row in images])
        size = self.model.image_size
        if stacked.dtype != np.uint8 or stacked.shape[2:] != (size, size, 3):
            raise ArmillaryError(
                f"the model was trained on uint8 images ({size}, {size}, 3), "
                f"got {stacked.dtype} {stacked.shape[2:]}"
            )
        frames = torch.from_numpy(stacked).to(self.device)
        return frames.permute(0, 1, 4, 2, 3).float() / 255.0


def _appearance(scene: Scene) -> Tensor:
    """(N, K, 4): each slot's mean colour under its mask, and its size as a length."""
    mass = scene.masks.sum((-1, -2, -3)).clamp_min(1e-6)
    color = (scene.components * scene.masks).sum((-1, -2)) / mass.unsqueeze(-1)
    pixels = scene.masks.shape[-1] * scene.masks.shape[-2]
    return torch.cat([color, (mass / pixels).sqrt().unsqueeze(-1)], -1)
