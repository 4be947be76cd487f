"""The simulator contract: what planners query, be it a learned model or the true physics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Protocol

import numpy as np
import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.world_models.state import Scene, State

Observation = Mapping[str, Any]
"""One environment's observation: the Dict space's arrays, and ``state`` for oracle simulators."""


def checked_actions(actions: Tensor, problems: int, size: int) -> Tensor:
    """Candidates (B, S, T, A), of floating point if they were not.

    Args:
        actions: of any type.
        problems: B, the states that they start from.
        size: A, of the simulator's actions.

    Raises:
        ArmillaryError: they have another shape, or there are none.
    """
    if actions.ndim != 4 or actions.shape[::3] != (problems, size) or 0 in actions.shape[1:3]:
        raise ArmillaryError(
            f"actions must be (B, S, T, A) with B = {problems}, as many as there are states, S and "
            f"T at least 1, and A = {size}; got {tuple(actions.shape)}"
        )
    return actions if actions.is_floating_point() else actions.float()


class Reader(Protocol):
    """Reads quantities off N states, in bounded memory: an ``Imaginer``, or the true physics."""

    def slots(self, state: Any) -> Tensor:
        """(N, K, D)."""
        ...

    def positions(self, state: Any) -> Tensor:
        """(N, K, 2) in [0, 1] of the image."""
        ...

    def orientations(self, state: Any) -> Tensor:
        """(N, K, O). Raises ArmillaryError where it is not known how things lie."""
        ...

    def handles(self, state: Any) -> Tensor:
        """(N, K, P). Raises ArmillaryError where it is not known where things can be taken."""
        ...

    def decode(self, state: Any) -> Scene:
        """Components (N, K, 3, H, W) and masks (N, K, 1, H, W)."""
        ...

    def frames(self, state: Any) -> Tensor:
        """(N, 3, H, W) in [0, 1]."""
        ...

    def masks(self, state: Any) -> Tensor:
        """(N, K, 1, H, W) in [0, 1]."""
        ...


_READ = {"slots", "positions", "orientations", "handles", "scene", "masks", "frames"}


class View(Generic[State]):
    """States that are read on first use: slot costs never decode, two pixel costs decode once.

    Gradients are recorded where the states have them.

    Args:
        state: tensors shaped (N, ...), N being the product of ``shape``.
        shape: the leading dimensions, such as (B,).
        reader: what reads slots, positions and scenes off the states.
    """

    def __init__(self, state: State, shape: tuple[int, ...], reader: Reader) -> None:
        self.state = state
        self.shape = shape
        self._reader = reader

    @cached_property
    def slots(self) -> Tensor:
        """(\\*shape, K, D)."""
        return self._read(self._reader.slots)

    @cached_property
    def positions(self) -> Tensor:
        """(\\*shape, K, 2): x right and y down, in [0, 1] of the image."""
        return self._read(self._reader.positions)

    @cached_property
    def orientations(self) -> Tensor:
        """(\\*shape, K, O): how things lie, wherever that is.

        Two are as far apart as the unit vectors of their angles; see ``WorldModel.orientations``.
        """
        return self._read(self._reader.orientations)

    @cached_property
    def handles(self) -> Tensor:
        """(\\*shape, K, P): where things can be taken, in the units of actions."""
        return self._read(self._reader.handles)

    @cached_property
    def scene(self) -> Scene:
        """Components (\\*shape, K, 3, H, W) and masks (\\*shape, K, 1, H, W)."""
        with self._recording():
            return self._reader.decode(self.state).map(self._unflatten)

    @cached_property
    def masks(self) -> Tensor:
        """(\\*shape, K, 1, H, W) float32 in [0, 1], summing to 1 over K."""
        return self.scene.masks if "scene" in self.__dict__ else self._read(self._reader.masks)

    @cached_property
    def frames(self) -> Tensor:
        """(\\*shape, 3, H, W) float32 in [0, 1]."""
        return self.scene.frames if "scene" in self.__dict__ else self._read(self._reader.frames)

    @property
    def known(self) -> tuple[str, ...]:
        """Names of what has been read."""
        return tuple(sorted(_READ & self.__dict__.keys()))

    def map(self, function: Callable[[Tensor], Tensor]) -> View[State]:
        """Applies ``function`` to the states and to all that has been read off them."""
        view = View(self.state.map(function), self.shape, self._reader)
        for name in self.known:
            read = self.__dict__[name]
            view.__dict__[name] = read.map(function) if name == "scene" else function(read)
        return view

    def index(self, rows: Tensor | slice | Sequence[int]) -> View[State]:
        """Those of some rows of the first dimension."""
        states = self.state.reshape(*self.shape).index(rows)
        shape = (len(states), *self.shape[1:])
        return View(states.flatten(len(shape)), shape, self._reader)

    def imagined(self, shape: tuple[int, int, int, int], actions: Tensor) -> Rollout[State]:
        """The states as those that actions lead to.

        Args:
            shape: (B, S, P, T), whose product is N.
            actions: (B, S, T, A).
        """
        return Rollout(self.state, shape, self._reader, actions)

    def _read(self, function: Callable[[State], Tensor]) -> Tensor:
        with self._recording():
            return self._unflatten(function(self.state))

    def _recording(self) -> torch.set_grad_enabled:
        return torch.set_grad_enabled(torch.is_grad_enabled() and self.state.requires_grad)

    def _unflatten(self, tensor: Tensor) -> Tensor:
        return tensor.reshape(*self.shape, *tensor.shape[1:])


class Rollout(View[State]):
    """What B problems' S candidates are imagined to lead to.

    Args:
        state: tensors shaped (N, ...), N being the product of ``shape``.
        shape: (B, S, P, T).
        reader: what reads slots, positions and scenes off the states.
        actions: (B, S, T, A) in the environment's units; ``actions[:, :, t]`` leads to state t.
        members: M, models of an ensemble that imagined; particle p is that of member p modulo M,
            which divides P.
    """

    def __init__(
        self,
        state: State,
        shape: tuple[int, ...],
        reader: Reader,
        actions: Tensor,
        members: int = 1,
    ) -> None:
        super().__init__(state, shape, reader)
        self.actions = actions
        self.members = members

    @property
    def end(self) -> View[State]:
        """The last states alone, (B, S, P): what looks at no others decodes no others."""
        last = self.state.reshape(*self.shape).map(lambda tensor: tensor[:, :, :, -1])
        return View(last.flatten(3), self.shape[:3], self._reader)

    def index(self, rows: Tensor | slice | Sequence[int]) -> Rollout[State]:
        """That of some of the problems."""
        view = super().index(rows)
        return Rollout(view.state, view.shape, self._reader, self.actions[rows], self.members)


@dataclass(frozen=True)
class Roles:
    """What the slots of B scenes are.

    Attributes:
        objects: (B, K) float32; 1 for slots that are things which can be placed, 0 for the
            background, for empty slots and for the effector.
        effector: (B, K) float32; 1 for the slot that the actions move directly, else 0.
    """

    objects: Tensor
    effector: Tensor


Probe = Callable[[Tensor], Tensor]
"""Actions (S, T, A) in the environment's units -> (B, S, K, 2): where slots are after them."""
RoleFinder = Callable[[View[Any], Probe, int], Roles]
"""B scenes, what says where actions lead, and A -> roles; ``roles.FindRoles`` is one."""


@dataclass(frozen=True)
class Goal(Generic[State]):
    """Where B planning problems should end, and how their slots relate to the goal's.

    Attributes:
        view: the goal's states, ``shape`` (B,): slots (B, K, D), positions (B, K, 2), frames.
        assignment: (B, K) int64; the goal's slot that shows the same thing as the start's slot k.
        objects: (B, K) float32; 1 for the start's slots that are things which can be placed, 0 for
            the background, for empty slots and for the effector; see ``placed``.
        effector: (B, K) float32; 1 for the start's slot that the actions move directly, else 0.
        halves: (B, K, 2) half the sides of the rectangle around the goal position within which each
            of the start's slots is at its goal; None where goals are points.
        keep_clear: rectangles (x0, y0, x1, y1) of the image that objects and effector are to stay
            out of, in [0, 1].
        shown: (B, K) float32; 0 for the start's slots that show a thing which the goal does not
            show, else 1: of those the goal says nothing, and what their slots are there means
            nothing. None where the goal shows all.
    """

    view: View[State]
    assignment: Tensor
    objects: Tensor
    effector: Tensor
    halves: Tensor | None = None
    keep_clear: Sequence[Sequence[float]] = ()
    shown: Tensor | None = None

    @property
    def placed(self) -> Tensor:
        """(B, K) float32: 1 for the objects that have a place at the goal; others have none."""
        return self.objects if self.shown is None else self.objects * self.shown

    @cached_property
    def positions(self) -> Tensor:
        """(B, K, 2): the goal position of each of the start's slots."""
        return self.view.positions.gather(1, self.assignment.unsqueeze(-1).expand(-1, -1, 2))

    @cached_property
    def orientations(self) -> Tensor:
        """(B, K, O): how each of the start's slots is to lie."""
        told = self.view.orientations
        return told.gather(1, self.assignment.unsqueeze(-1).expand_as(told))

    @cached_property
    def handles(self) -> Tensor:
        """(B, K, P): where each of the start's slots is to be, in the units of actions."""
        told = self.view.handles
        return told.gather(1, self.assignment.unsqueeze(-1).expand_as(told))

    def offsets(self, positions: Tensor) -> Tensor:
        """(B, S, P, T, K, 2) places of the start's slots -> from their goals to them, likewise."""
        offsets = positions - self.positions[:, None, None, None]
        if self.halves is None:
            return offsets
        inside = self.halves[:, None, None, None]
        return offsets - offsets.maximum(-inside).minimum(inside)

    def map(self, function: Callable[[Tensor], Tensor]) -> Goal[State]:
        """Applies ``function`` to every tensor, those that have been read off the view included."""
        return Goal(
            self.view.map(function),
            function(self.assignment),
            function(self.objects),
            function(self.effector),
            None if self.halves is None else function(self.halves),
            self.keep_clear,
            None if self.shown is None else function(self.shown),
        )

    def index(self, rows: Tensor) -> Goal[State]:
        """The goals of some of the problems."""
        return Goal(
            self.view.index(rows),
            self.assignment[rows],
            self.objects[rows],
            self.effector[rows],
            None if self.halves is None else self.halves[rows],
            self.keep_clear,
            None if self.shown is None else self.shown[rows],
        )


ScoreRollouts = Callable[[Rollout[State], Goal[State]], Tensor]
"""A rollout of shape (B, S, P, T) and B goals -> scores (B, S); ``Objective`` is one."""


class Simulator(Protocol[State]):
    """Answers "what if" for B planning problems at once.

    Attributes:
        context_length: C, how many observations a belief takes to settle.
        action_size: A.
        device: where states live and costs are computed.
    """

    context_length: int
    action_size: int
    device: torch.device

    @property
    def identity(self) -> str:
        """Of the model: what was learnt from the slots of one means nothing to another."""
        ...

    def observe(
        self, state: State | None, actions: np.ndarray, observations: Sequence[Observation]
    ) -> State:
        """The beliefs about B problems after one more observation of each.

        Args:
            state: the B beliefs before; None at the beginning.
            actions: (B, A) float32, what led to the observations; zeros at the beginning.
            observations: B, one of each problem.

        Returns:
            The B beliefs now; slots keep their identity.
        """
        ...

    def encode(self, histories: Sequence[Sequence[Observation]], actions: np.ndarray) -> State:
        """The beliefs about B problems whose past is at hand: ``observe`` again and again.

        Args:
            histories: per problem its last T >= 1 observations, oldest first.
            actions: (B, T - 1, A) float32, the actions between them.
        """
        ...

    def view(self, state: State) -> View[State]:
        """B states, to be looked at; ``shape`` is (B,)."""
        ...

    def roles(self, state: State, find: RoleFinder) -> Roles:
        """What the slots of B states are: as ``find`` says, or, better, as is known."""
        ...

    def goal(
        self, state: State, observations: Sequence[Observation], find: RoleFinder
    ) -> Goal[State]:
        """The goals that the goal images of B observations pose, related to the slots of ``state``.

        Args:
            state: B states.
            observations: B of the same moment.
            find: as for ``roles``.
        """
        ...

    def rollout(
        self,
        state: State,
        actions: Tensor,
        generators: Sequence[torch.Generator] | None = None,
    ) -> Rollout[State]:
        """Imagines S candidates for each problem; all of it lies in memory.

        Gradients reach ``actions`` where they require them.

        Args:
            state: B states.
            actions: (B, S, T, A) in the environment's units.
            generators: one per problem, needed by simulators with several particles. What they
                draw is shared by the candidates of a problem.

        Returns:
            A rollout of shape (B, S, P, T).
        """
        ...

    def step(self, state: State, actions: Tensor) -> State:
        """One step of N states under actions (N, A), without noise.

        Gradients reach states and actions where they require them.
        """
        ...

    def score(
        self,
        state: State,
        actions: Tensor,
        objective: ScoreRollouts,
        goal: Goal[State],
        generators: Sequence[torch.Generator] | None = None,
    ) -> Tensor:
        """Scores S candidates for each problem, a few at a time: memory does not grow with S.

        Gradients reach ``actions`` where they require them.

        Args:
            state: B states.
            actions: (B, S, T, A) in the environment's units.
            objective: scores what some of the candidates lead to.
            goal: of the B problems.
            generators: see ``rollout``; drawn from once.

        Returns:
            (B, S) scores, lower is better.
        """
        ...

    def close(self) -> None:
        """Gives back what it holds, such as worker processes."""
        ...
