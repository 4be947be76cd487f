"""The world-model contract: encode a context, step under actions, decode scenes, have a loss."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Self

import torch
from torch import Tensor, nn

from armillary.errors import ArmillaryError
from armillary.world_models.state import Scene, State, mask_centroids

MOST_SLOTS, MOST_CONTEXT, MOST_MEMBERS = 256, 1024, 64
"""No weight depends on K, and time and memory grow with its square."""


@dataclass(frozen=True)
class Window:
    """A batch of video clips that a model is trained on.

    Attributes:
        frames: (N, T, 3, H, W) float32 in [0, 1].
        actions: (N, T - 1, A) float32; ``actions[:, t]`` leads from frame t to frame t + 1.
        labels: (N, T, H, W) int64 ground-truth segmentation (0 is the background), or
            (N, T, 0, 0) where the data has none. Never used by a loss, only by metrics.
        previous: (N, A) float32, the action that led to the first frame; None stands for zeros,
            which it also is where an episode starts.
    """

    frames: Tensor
    actions: Tensor
    labels: Tensor
    previous: Tensor | None = None

    def to(self, device: torch.device | str) -> Window:
        """Moves the clips to ``device``."""
        return self.map(lambda tensor: tensor.to(device))

    def map(self, function: Callable[[Tensor], Tensor]) -> Window:
        """Applies ``function``, which keeps clips together, to every tensor."""
        previous = None if self.previous is None else function(self.previous)
        return Window(
            function(self.frames), function(self.actions), function(self.labels), previous
        )

    def index(self, rows: slice | Tensor) -> Window:
        """Some of the clips."""
        return self.map(lambda tensor: tensor[rows])

    def start(self, length: int) -> Window:
        """The first frames of every clip."""
        return Window(
            self.frames[:, :length],
            self.actions[:, : length - 1],
            self.labels[:, :length],
            self.previous,
        )

    @property
    def length(self) -> int:
        """T, the number of frames of a clip."""
        return self.frames.shape[1]


@dataclass(frozen=True)
class Losses:
    """What a model asks the trainer to minimise.

    Attributes:
        total: () the scalar that is differentiated.
        terms: named detached scalars for the log.
    """

    total: Tensor
    terms: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of_members(cls, losses: Sequence[Losses]) -> Losses:
        """Of an ensemble: the sum, in which members do not meet, and the means of the terms."""
        if len(losses) == 1:
            return losses[0]
        terms = {
            name: torch.stack([one.terms[name] for one in losses]).mean()
            for name in losses[0].terms
        }
        return cls(torch.stack([one.total for one in losses]).sum(), terms)


class WorldModel(nn.Module, ABC, Generic[State]):
    """An action-conditioned video model with an explicit state, the type that it is generic in.

    Nothing recurrent lives on the module: ``step`` is a pure function of state, action and noise.
    Every method is invariant to who shares the batch. Encoding works under ``torch.no_grad``
    (models that infer by gradients open ``torch.enable_grad`` themselves).

    Attributes:
        image_size: H = W of the frames, in pixels.
        action_size: A, 0 for an action-free model.
        context_length: C, at most ``MOST_CONTEXT``, how many frames a belief takes to settle; what
            it is trained with.
        num_slots: K, at most ``MOST_SLOTS``; 1 for a model that does not segment.
        slot_size: D, the width of what ``slots`` returns.
        noise_shape: shape of the standard-normal noise that one ``step`` of one state takes.
        objectives: the names that ``loss`` accepts, the default one first; a hyperparameter
            ``objective`` may move another one to the front.
        steps_decode: whether ``step`` computes images, as where a model sees what it imagines;
            fewer states are then stepped at a time.
        surveyed: how many frames of the data ``survey`` wants to be told of; 0 for none.
        pixel_std: standard deviation of the pixel likelihood, in units of the frames' range.
        starts_from: hyperparameters that say what a new model starts from, such as a file of
            weights; None, for nothing, is what a checkpoint records, which has its own.
        formerly_saved: names of what checkpoints written before hold and nothing reads any more.
    """

    objectives: tuple[str, ...] = ("joint",)
    starts_from: tuple[str, ...] = ()
    formerly_saved: tuple[str, ...] = ()
    steps_decode: bool = False
    surveyed: int = 0
    pixel_std: float = 0.1

    def __init__(
        self,
        *,
        image_size: int,
        action_size: int,
        context_length: int,
        num_slots: int,
        slot_size: int,
        noise_shape: tuple[int, ...],
    ) -> None:
        super().__init__()
        sizes = (image_size, action_size + 1, context_length, num_slots, slot_size)
        if min(sizes) < 1:
            raise ArmillaryError(
                "image_size, context_length, num_slots and slot_size must be at least 1, and "
                f"action_size at least 0; got {image_size}, {context_length}, {num_slots}, "
                f"{slot_size} and {action_size}"
            )
        if num_slots > MOST_SLOTS:
            raise ArmillaryError(f"num_slots must be at most {MOST_SLOTS}, got {num_slots}")
        if context_length > MOST_CONTEXT:
            raise ArmillaryError(
                f"context_length must be at most {MOST_CONTEXT}, got {context_length}"
            )
        self.image_size = image_size
        self.action_size = action_size
        self.context_length = context_length
        self.num_slots = num_slots
        self.slot_size = slot_size
        self.noise_shape = noise_shape
        self.action_mean: Tensor
        self.action_std: Tensor
        self.register_buffer("action_mean", torch.zeros(action_size))
        self.register_buffer("action_std", torch.ones(action_size))

    @abstractmethod
    def observe(self, state: State | None, action: Tensor, frame: Tensor) -> State:
        """The posterior after one more frame: a belief that is carried on.

        Args:
            state: the belief before, tensors shaped (N, ...); None before the first frame.
            action: (N, A), what led to this frame; zeros where nothing did.
            frame: (N, 3, H, W) float32 in [0, 1].

        Returns:
            The belief now, tensors shaped (N, ...). The arguments are left as they were. Slots
            keep their identity: slot k shows the thing that it showed before.
        """

    def filter(self, frames: Tensor, actions: Tensor, previous: Tensor | None = None) -> State:
        """The posterior of every frame given the frames and actions up to it.

        Args:
            frames: (N, T, 3, H, W) float32 in [0, 1], T >= 1.
            actions: (N, T - 1, A).
            previous: (N, A), the action that led to the first frame; None stands for zeros.

        Returns:
            A state whose tensors are shaped (N, T, ...).

        Raises:
            ArmillaryError: the shapes are not the model's.
        """
        states = list(self._beliefs(frames, actions, previous))
        return type(states[0]).stack(states, dim=1)

    def encode(self, frames: Tensor, actions: Tensor, previous: Tensor | None = None) -> State:
        """The posterior after a context of any length, tensors shaped (N, ...); see ``filter``."""
        *_, last = self._beliefs(frames, actions, previous)
        return last

    def _beliefs(self, frames: Tensor, actions: Tensor, previous: Tensor | None) -> Iterator[State]:
        self.check_inputs(frames, actions)
        first = actions.new_zeros(len(frames), self.action_size) if previous is None else previous
        state = None
        for t in range(frames.shape[1]):
            state = self.observe(state, actions[:, t - 1] if t else first, frames[:, t])
            yield state

    @abstractmethod
    def step(self, state: State, action: Tensor, noise: Tensor | None = None) -> State:
        """The prior: one step under an action.

        Args:
            state: tensors shaped (N, ...).
            action: (N, A).
            noise: (N, \\*noise_shape) standard normal; ``None`` takes the mean.

        Returns:
            The next state, tensors shaped (N, ...). The argument is left as it was.
        """

    @abstractmethod
    def slots(self, state: State) -> Tensor:
        """(N, K, D): one vector per slot."""

    @abstractmethod
    def decode(self, state: State) -> Scene:
        """The scene of N states: components (N, K, 3, H, W) and masks (N, K, 1, H, W)."""

    @abstractmethod
    def loss(self, window: Window, objective: str, step: int | Tensor) -> Losses:
        """The training loss of a batch of clips.

        Args:
            window: clips; their length is the training stage's choice.
            objective: one of ``objectives``.
            step: optimiser steps done so far (for warm-ups inside a loss): a number, or () int64 on
                the model's device where steps are recorded once and replayed. A loss that needs
                the number (``if step < 100``) is not recorded and runs as it is.

        Raises:
            ArmillaryError: the objective is not one of ``objectives``.
        """

    @property
    def members(self) -> Sequence[WorldModel[State]]:
        """Of an ensemble, models that differ in ``step`` alone: this one first, by default only.

        All that asks one model for the future asks the first; ``LatentSimulator`` asks all.
        """
        return (self,)

    def exchanging(self, name: str, modules: Iterable[nn.Module]) -> list[Self]:
        """This model, and again with each of some modules in place of its own of that name.

        All else is shared, weights included; those that ``modules`` holds are in ``siblings``.
        """
        models = [self]
        for module in modules:
            other = copy.copy(self)
            parts = {**self._modules, name: module, "siblings": nn.ModuleList()}
            object.__setattr__(other, "_modules", parts)
            models.append(other)
        return models

    def rollout(self, state: State, actions: Tensor, noise: Tensor | None = None) -> State:
        """Imagines open loop.

        Args:
            state: tensors shaped (N, ...).
            actions: (N, T, A).
            noise: (N, T, \\*noise_shape) standard normal; ``None`` takes the mean of every step.

        Returns:
            The T next states, tensors shaped (N, T, ...).
        """
        states = []
        for t in range(actions.shape[1]):
            state = self.step(state, actions[:, t], None if noise is None else noise[:, t])
            states.append(state)
        return type(state).stack(states, dim=1)

    def positions(self, state: State) -> Tensor:
        """(N, K, 2): where each slot is seen, x right and y down in [0, 1] of the image.

        By default the centre of mass of the decoded masks; models that hold positions override it.
        """
        return mask_centroids(self.decode(state).masks)

    def orientations(self, state: State) -> Tensor:
        """(N, K, O): how the things lie, their places left out.

        The distance of two is the chord of the angle by which the thing is turned, that of unit
        vectors; what is alike in nothing is as far apart as random directions are.

        Raises:
            ArmillaryError: the model does not tell them apart from places.
        """
        raise ArmillaryError(
            f"{type(self).__name__} does not tell how things lie, which objective=pose needs; "
            "slot_dynamics and the oracle do. Take objective=object_position or latent"
        )

    def handles(self, state: State) -> Tensor:
        """(N, K, P): where in the scene each thing can be taken, in the units of actions.

        Raises:
            ArmillaryError: the model does not tell.
        """
        raise ArmillaryError(
            f"{type(self).__name__} does not tell where in the scene things are, which "
            "planner=object_cem and objective=readout, reach and in_space need; slot_dynamics with "
            "model.readout or model.displacement and the oracles of stack_blocks and towel_pick "
            "do. Take planner=cem and objective=object_position or latent"
        )

    def survey(self, frames: Tensor) -> None:
        """Told of some frames of the data, evenly over them all, before anything is trained.

        Args:
            frames: (F, 3, H, W) float32 in [0, 1]; ``surveyed`` of them, or all where these are
                fewer.
        """

    def measure(self, states: State) -> None:
        """Told of all states of the data before they are trained on, to learn their scales.

        Args:
            states: what ``filter`` returned, tensors shaped (N, T, ...).
        """

    def latent_loss(
        self, states: State, actions: Tensor, objective: str, step: int | Tensor
    ) -> Losses:
        """The loss of an objective that needs no frames, on states encoded once.

        Args:
            states: what ``filter`` returned, tensors shaped (N, T, ...).
            actions: (N, T - 1, A).
            objective: one of ``objectives``.
            step: as for ``loss``.
        """
        raise ArmillaryError(
            f"{type(self).__name__} has no objective that is trained on encoded states; "
            f"got {objective!r}. Set encode_once=false in the training stage."
        )

    def log_likelihood(self, scene: Scene, frames: Tensor) -> Tensor:
        """How likely images are under decoded scenes, with all constants, so that models compare.

        By default one Gaussian per value around the composed image, of ``pixel_std``; models with
        a likelihood of their own override it.

        Args:
            scene: of N states.
            frames: (N, 3, H, W) float32 in [0, 1].

        Returns:
            (N,) nats, summed over pixels and channels.
        """
        error = (scene.frames - frames).square().sum((-1, -2, -3))
        constant = math.log(self.pixel_std) + 0.5 * math.log(2 * math.pi)
        return -error / (2 * self.pixel_std**2) - frames[0].numel() * constant

    def set_target(self, target: float) -> None:
        """Sets the reconstruction target of a training stage, for models trained with GECO.

        Args:
            target: greatest negative log-likelihood of a frame, in the model's units.

        Raises:
            ArmillaryError: the model has no such target.
        """
        raise ArmillaryError(f"{type(self).__name__} has no reconstruction target, got {target}")

    def finish_step(self, terms: Mapping[str, Tensor], step: int | Tensor) -> None:
        """Told by the trainer after each optimiser step; models with moving averages update them.

        What it changes in the model's buffers is undone where the step was not finite.

        Args:
            terms: the losses () of the whole batch by name, as ``loss`` returned them.
            step: what ``loss`` was given.
        """

    def trainable(self, objective: str) -> list[nn.Parameter]:
        """The parameters that ``objective`` trains; all of them by default."""
        self.check_objective(objective)
        return list(self.parameters())

    def set_action_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Fixes the normalisation of actions, (A,) each; it is saved with the weights.

        Raises:
            ValueError: a deviation is not above 0.
        """
        if not (std > 0).all():
            raise ValueError(f"deviations must be above 0, got {std.tolist()}")
        self.action_mean.copy_(mean)
        self.action_std.copy_(std)

    def normalise_action(self, action: Tensor) -> Tensor:
        """(..., A) in the environment's units -> zero mean and unit variance."""
        return (action - self.action_mean) / self.action_std

    def prefer_objective(self, objective: str) -> None:
        """Makes one of ``objectives`` the default of this model.

        Raises:
            ArmillaryError: the objective is not one of ``objectives``.
        """
        self.check_objective(objective)
        self.objectives = (objective, *[name for name in self.objectives if name != objective])

    def check_objective(self, objective: str) -> None:
        """Raises ArmillaryError unless ``objective`` is one of ``objectives``."""
        if objective not in self.objectives:
            raise ArmillaryError(
                f"unknown objective {objective!r} for {type(self).__name__}; "
                f"choose from {', '.join(self.objectives)}"
            )

    def check_inputs(self, frames: Tensor, actions: Tensor) -> None:
        """Raises ArmillaryError unless frames and actions are a context of this model."""
        size, count = self.image_size, self.action_size
        if frames.ndim != 5 or frames.shape[2:] != (3, size, size):
            raise ArmillaryError(
                f"frames must be (N, T, 3, {size}, {size}), got {tuple(frames.shape)}"
            )
        if not frames.is_floating_point():
            raise ArmillaryError(f"frames must be floating point in [0, 1], got {frames.dtype}")
        wanted = (frames.shape[0], frames.shape[1] - 1, count)
        if tuple(actions.shape) != wanted:
            raise ArmillaryError(
                f"actions must be (N, T - 1, A) = {wanted} for frames {tuple(frames.shape)}, "
                f"got {tuple(actions.shape)}"
            )


def check_ensemble(ensemble: int) -> None:
    """Raises ArmillaryError unless a model can have that many members."""
    if not 1 <= ensemble <= MOST_MEMBERS:
        raise ArmillaryError(f"ensemble must be from 1 to {MOST_MEMBERS}, got {ensemble}")
