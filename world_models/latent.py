"""LatentSimulator: a learned world model behind the simulator interface."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any, Generic

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from armillary.errors import ArmillaryError, required
from armillary.world_models.assignment import MOST_ON_DEVICE
from armillary.world_models.device import placed, resolve_device
from armillary.world_models.goals.matching import match_slots
from armillary.world_models.goals.roles import FindRoles
from armillary.world_models.imagine import Budget, Imaginer
from armillary.world_models.model import WorldModel
from armillary.world_models.replay.gradients import Differentiated, with_gradient
from armillary.world_models.replay.reader import RecordedReader
from armillary.world_models.replay.recordings import (
    Pure,
    Recordings,
    Tensors,
    leaves,
    recorder,
    regrown,
)
from armillary.world_models.simulating.futures import Futures, alike_members
from armillary.world_models.simulating.observed import entries, frames_of
from armillary.world_models.simulator import (
    Goal,
    Observation,
    RoleFinder,
    Roles,
    Rollout,
    ScoreRollouts,
    View,
    checked_actions,
)
from armillary.world_models.state import LatentState, Scene, State
from armillary.world_models.validation.crowding import warn_if_crowded

logger = logging.getLogger(__name__)

_FIND = FindRoles()


class LatentSimulator(Generic[State]):
    """Imagines with a world model; particles and device are decided here alone.

    Everything from the observation to the scores stays on the device. Scores and rollouts have
    gradients where actions require them; beliefs and goals never do.

    Args:
        model: moved to the device and put in evaluation mode.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``.
        particles: P, stochastic rollouts per candidate; 1 imagines the mean. Their noise is drawn
            once for all candidates of a problem, so that none wins by luck. An ensemble's particles
            each belong to one member throughout (PETS' TS-infinity, Chua et al. 2018, 1805.12114):
            P is a multiple of M, and M itself imagines the mean of every member; 1 is the first
            member's mean.
        precision: ``float32``, ``tf32`` (cuda) or ``bf16`` (autocast).
        compile: whether ``torch.compile`` prepares the model's step.
        budget: how much is computed at a time, by default what suits the device.
        still: whether a zero action leaves the scene as it is, so that a frame can be shown as
            often as a belief takes to settle; False for absolute actions, such as places: then
            ``context_length`` is 1.
        capture: whether a device with long launches replays what was recorded once per shape
            (CUDA graphs); elsewhere it changes nothing.
    """

    def __init__(
        self,
        model: WorldModel[State],
        device: str = "auto",
        particles: int = 1,
        precision: str = "float32",
        compile: bool = False,
        budget: Budget | None = None,
        still: bool = True,
        capture: bool = True,
    ) -> None:
        self.device = resolve_device(device)
        self.model = placed(model, self.device).eval()
        self.context_length = model.context_length if still else 1
        self.action_size = model.action_size
        self.particles = particles
        self._futures = Futures(
            [Imaginer(one, precision, compile, budget) for one in alike_members(self.model)]
        )
        self._futures.check("particles", particles)
        self._core = self._futures.core
        self._recordings = Recordings(recorder(self.device) if capture else None)
        self._reader = RecordedReader(self._core, self._recordings)
        self._beliefs: dict[str, State] = {}  # the last of each kind, for what they are made of

    @property
    def replayed(self) -> int:
        """How many shapes of beliefs, scores and readings are replayed from recordings now."""
        return self._recordings.replayed

    @property
    def refused(self) -> tuple[str, ...]:
        """Names of what was to be recorded and cannot be."""
        return self._recordings.refused

    @property
    def identity(self) -> str:
        """SHA-256 of the model's weights."""
        digest = sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
        return digest.hexdigest()

    @torch.no_grad()
    def observe(
        self, state: State | None, actions: np.ndarray, observations: Sequence[Observation]
    ) -> State:
        """See ``Simulator``; reads ``image``. Raises ArmillaryError for frames of another kind."""
        frames = self._frames([[image] for image in entries(observations, "image")])[:, 0]
        taken = self._actions(actions)
        if state is None:

            def begun(taken: Tensor, frames: Tensor) -> State:
                return self._core.observe(None, taken, frames)

            belief = self._believed("a first frame", begun, [taken, frames])
            warn_if_crowded(self._core, belief, frames)
            return belief

        def observed(taken: Tensor, frames: Tensor, *tensors: Tensor) -> State:
            return self._core.observe(regrown(state, tensors), taken, frames)

        return self._believed("observing", observed, [taken, frames, *leaves(state)])

    @torch.no_grad()
    def encode(self, histories: Sequence[Sequence[Observation]], actions: np.ndarray) -> State:
        """See ``Simulator``; reads ``image``. Raises ArmillaryError for frames of another kind."""
        frames = self._frames([entries(history, "image") for history in histories])
        return self._believed("encoding", self._core.encode, [frames, self._actions(actions)])

    def _believed(self, name: str, believe: Callable[..., State], given: Sequence[Tensor]) -> State:
        """What ``believe`` makes of tensors, recorded."""

        def plain() -> Tensors:
            self._beliefs[name] = believe(*given)
            return tuple(leaves(self._beliefs[name]))

        def pure(*tensors: Tensor) -> Tensors:
            return tuple(leaves(believe(*tensors)))

        tensors = self._recordings.call(self._told(name), plain, pure, given, self._core)
        return regrown(self._beliefs[name], tensors)

    def _told(self, what: str) -> str:
        """A name in messages."""
        return f"{what} of {type(self.model).__name__}"

    def view(self, state: State) -> View[State]:
        """See ``Simulator``."""
        return View(state, (len(state),), self._reader)

    @torch.no_grad()
    def roles(self, state: State, find: RoleFinder = _FIND) -> Roles:
        """See ``Simulator``."""
        return self._roles(self.view(state), find)

    def _roles(self, scenes: View[State], find: RoleFinder) -> Roles:
        return find(scenes, partial(self._probe, scenes.state), self.action_size)

    @torch.no_grad()
    def goal(
        self, state: State, observations: Sequence[Observation], find: RoleFinder = _FIND
    ) -> Goal[State]:
        """See ``Simulator``; reads ``goal_image``.

        The start's slots are matched to the goal's by how they look, with an exact assignment. What
        shows nothing, there or here, is as like to one thing as to any other.

        Raises:
            ArmillaryError: what the model sees holds NaN or inf.
        """
        context = self.context_length
        images = [[image] * context for image in entries(observations, "goal_image")]
        still = torch.zeros(len(images), context - 1, self.action_size, device=self.device)
        end = self.view(
            self._believed("encoding", self._core.encode, [self._frames(images), still])
        )
        start = self.view(state)
        assignment, shown, broken = self._matched(start.scene, end.scene)
        roles = self._roles(start, find)
        goal = Goal(end, assignment, roles.objects, roles.effector, shown=shown)
        found, placed = (one.sum(1) > 0 for one in (goal.objects, goal.placed))
        counts = torch.stack([one.sum() for one in (broken, ~found, found & ~placed)])
        self._check_goals(len(images), *counts.tolist())
        return goal

    def _matched(self, start: Scene, end: Scene) -> Tensors:
        """See ``match_slots``."""

        def pure(*tensors: Tensor) -> Tensors:
            return match_slots(Scene(*tensors[:2]), Scene(*tensors[2:]))

        given = [start.components, start.masks, end.components, end.masks]
        if self.model.num_slots > MOST_ON_DEVICE:
            return pure(*given)
        told = self._told("matching slots")
        return self._recordings.call(told, partial(pure, *given), pure, given, None)

    def _check_goals(self, count: int, broken: int, empty: int, lost: int) -> None:
        """Refuses broken scenes; tells of those without objects, or whose goal shows none."""
        if broken:
            raise ArmillaryError(
                f"what {type(self.model).__name__} sees in {broken} of {count} scenes or goals "
                "holds NaN or inf"
            )
        if self.model.num_slots > 1:
            if empty:
                logger.warning("no object was found in %d of %d scenes", empty, count)
            if lost:
                logger.warning("the goal shows no object of %d of %d scenes", lost, count)

    def rollout(
        self,
        state: State,
        actions: Tensor,
        generators: Sequence[torch.Generator] | None = None,
    ) -> Rollout[State]:
        """See ``Simulator``. Raises ArmillaryError where particles lack their generators."""
        actions = checked_actions(actions, len(state), self.action_size).float()
        with _recording(actions):
            noise = self._futures.noise(actions, self.particles, generators)
            return self._futures.imagine(state, actions, noise, self.particles)

    def step(self, state: State, actions: Tensor) -> State:
        """See ``Simulator``."""
        candidates = checked_actions(actions[:, None, None], len(state), self.action_size).float()
        with _recording(candidates, state):
            return self._core.rollout(state, candidates[:, 0]).flatten(2)

    @torch.no_grad()
    def imagine(
        self,
        observations: Sequence[Observation] | NDArray[np.uint8],
        actions: NDArray[Any],
        samples: int = 1,
        seed: int = 0,
    ) -> Rollout[State]:
        """The futures of one scene, for those who look.

        Args:
            observations: C frames of it, the oldest first: (C, H, W, 3) uint8, or dictionaries with
                ``image``; at least as many as the model was trained to see.
            actions: (C - 1 + T, A); ``actions[t]`` leads from frame t to t + 1, so that those after
                the last frame are imagined.
            samples: P stochastic futures, as ``particles``; 1 imagines the mean.
            seed: of their noise.

        Returns:
            A rollout of shape (1, 1, P, T): ``frames`` (1, 1, P, T, 3, H, W), ``slots``, ...

        Raises:
            ArmillaryError: too few frames or actions, actions of another size, no samples.
        """
        self._futures.check("samples", samples)
        frames = [
            required(o, "image", "an observation") if isinstance(o, Mapping) else o
            for o in observations
        ]
        least, seen = self.model.context_length, len(frames)
        if seen < least:
            raise ArmillaryError(
                f"the model was trained to see {least} frames before it imagines, got {seen}; a "
                "scene that stands still may be shown several times, with actions that leave it so"
            )
        taken = np.asarray(actions, np.float32)
        if taken.ndim != 2 or taken.shape[1] != self.action_size or len(taken) < seen:
            raise ArmillaryError(
                f"actions must be (C - 1 + T, A) with A = {self.action_size}, {seen - 1} between "
                f"the {seen} frames and at least one to imagine; got {taken.shape}"
            )
        state = self.encode([[{"image": frame} for frame in frames]], taken[None, : seen - 1])
        future = self._actions(taken[seen - 1 :])[None, None]
        generator = torch.Generator(self.device).manual_seed(seed)
        noise = self._futures.noise(future, samples, [generator])
        return self._futures.imagine(state, future, noise, samples)

    def score(
        self,
        state: State,
        actions: Tensor,
        objective: ScoreRollouts[State],
        goal: Goal[State],
        generators: Sequence[torch.Generator] | None = None,
    ) -> Tensor:
        """See ``Simulator``. Raises ArmillaryError where particles lack their generators.

        Gradients are computed together with the scores, so that their memory is a piece's.
        """
        actions = checked_actions(actions, len(state), self.action_size).float()
        noise = self._futures.noise(actions, self.particles, generators)
        return self._core.within_memory(lambda: self._score(state, actions, objective, goal, noise))

    def _score(
        self,
        state: State,
        actions: Tensor,
        objective: ScoreRollouts[State],
        goal: Goal[State],
        noise: Tensor | None,
    ) -> Tensor:
        problems, _, horizon, _ = actions.shape
        states = problems * self.particles * horizon
        pieces = actions.split(self._core.candidates_at_once(state, states), 1)
        drawn = [] if noise is None else [noise]
        imagine = partial(self._futures.imagine, count=self.particles)

        def plain(piece: Tensor) -> Tensors:  # what is read off the goal stays in its view
            return (objective(imagine(state, piece, noise), goal),)

        def recorded(name: str, around: Callable[[Pure], Pure], piece: Tensor) -> Tensors:
            end = goal.map(lambda tensor: tensor)  # as it is now: more may be read off it
            scene, aim = leaves(state), leaves(end)

            def scored(piece: Tensor, *tensors: Tensor) -> Tensors:
                goals, drawn = tensors[len(scene) :], tensors[len(scene) + len(aim) :]
                now = regrown(state, tensors)
                imagined = imagine(now, piece, drawn[0] if drawn else None)
                return (objective(imagined, regrown(end, goals)),)

            return self._recordings.call(
                self._told(name),
                partial(around(plain), piece),
                around(scored),
                [piece, *scene, *aim, *drawn],
                objective,
                tuple(map(tuple, goal.keep_clear)),
                end.view.known,
            )

        if torch.is_grad_enabled() and actions.requires_grad:
            score = partial(recorded, "scoring with gradients", partial(partial, with_gradient))
            scores = [Differentiated.apply(piece, score) for piece in pieces]
        else:
            with torch.no_grad():
                scores = [recorded("scoring", lambda f: f, piece)[0] for piece in pieces]
        return torch.cat(scores, 1)

    def close(self) -> None:
        """Nothing is held."""

    def _probe(self, state: State, actions: Tensor) -> Tensor:
        """Actions (S, T, A) -> (B, S, K, 2): the places of slots after them, without noise."""

        def places(actions: Tensor, *tensors: Tensor) -> Tensors:
            now, problems = regrown(state, tensors), len(tensors[0])
            ahead = self._core.rollout(now.repeat(len(actions)), actions.repeat(problems, 1, 1))
            positions = self._core.positions(ahead.map(lambda tensor: tensor[:, -1]))
            return (positions.unflatten(0, (problems, len(actions))),)

        given = [actions, *leaves(state)]
        told = self._told("probing")
        return self._recordings.call(told, partial(places, *given), places, given, self._core)[0]

    def _actions(self, actions: np.ndarray) -> Tensor:
        """On the device, in float32: some have no float64."""
        return torch.as_tensor(actions, dtype=torch.float32).to(self.device)

    def _frames(self, images: Sequence[Sequence[np.ndarray]]) -> Tensor:
        """Images (H, W, 3) uint8 -> (B, C, 3, H, W) on the device."""
        return frames_of(images, self.model.image_size, self.device)


def _recording(*given: Tensor | LatentState) -> torch.set_grad_enabled:
    """Gradients are for what is given and requires them; those of weights are the trainer's."""
    return torch.set_grad_enabled(
        torch.is_grad_enabled() and any(one.requires_grad for one in given)
    )
