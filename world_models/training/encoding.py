"""A split filtered once: the states that several stages train on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain

import torch
from torch import Tensor

from armillary.world_models.data import Split, WindowDataset, ordered_batches
from armillary.world_models.model import WorldModel
from armillary.world_models.state import LatentState
from armillary.world_models.training.schedule import Stage
from armillary.world_models.training.steps.batches import StateBatch

ENCODED_FRAMES = 512
"""Frames that are encoded at a time."""


class Encoding:
    """The states of a split; they are computed again only when what they depend on has changed.

    A stage that trains on them must not train what ``filter`` depends on, so they hold from one
    such stage to the next as long as everything that none of them trains is what it was.

    Args:
        split: the episodes.
        between: called after each batch of frames, since encoding may take minutes.
        measured: whether the model is told of the states, see ``WorldModel.measure``; of what it
            is trained on, that is.
    """

    def __init__(
        self, split: Split, between: Callable[[], None] = lambda: None, measured: bool = False
    ) -> None:
        self._split = split
        self._between = between
        self._measured = measured
        self._states: StateBatch | None = None
        self._made_with: dict[str, Tensor] = {}

    def states(self, model: WorldModel, stage: Stage) -> StateBatch | None:
        """What a stage trains on; None, and the memory is freed, where it trains on frames."""
        if not stage.encode_once:
            self._states, self._made_with = None, {}
            return None
        fixed = _fixed(model, stage)
        if self._states is None or not _equal(fixed, self._made_with):
            self._states = encode(model, self._split, self._between)
            if self._measured:
                model.measure(self._states.states)
            self._made_with = {name: tensor.clone() for name, tensor in fixed.items()}
        self._made_with = {n: tensor for n, tensor in self._made_with.items() if n in fixed}
        return self._states


def _fixed(model: WorldModel, stage: Stage) -> dict[str, Tensor]:
    """Parameters and buffers that a stage does not train."""
    trained = {id(parameter) for parameter in model.trainable(stage.objective)}
    named = chain(model.named_parameters(), model.named_buffers())
    return {name: tensor.detach() for name, tensor in named if id(tensor) not in trained}


def _equal(here: Mapping[str, Tensor], there: Mapping[str, Tensor]) -> bool:
    """Whether what no stage trained is the same."""
    return all(torch.equal(here[n], there[n]) for n in here.keys() & there.keys())


def encode(
    model: WorldModel, split: Split, between: Callable[[], None], stride: int = 1
) -> StateBatch:
    """Filters every episode of a split: states (N, T, ...) and actions (N, T - 1, A).

    Leaves the model in evaluation mode or training mode, as it was.

    Args:
        model: that filters.
        split: the episodes.
        between: called after each batch of frames.
        stride: of the frames; an episode then counts once for each frame that it can start at.
    """
    length = (split.length - 1) // stride + 1
    episodes = WindowDataset(split, length, stride, labels=False)
    device = model.action_mean.device
    training = model.training
    states: list[LatentState] = []
    actions: list[Tensor] = []
    model.eval()
    with torch.no_grad():
        for batch in ordered_batches(episodes, batch_size=max(1, ENCODED_FRAMES // length)):
            window = batch.to_window(device)
            states.append(model.filter(window.frames, window.actions))
            actions.append(window.actions)
            between()
    model.train(training)
    return StateBatch(type(states[0]).cat(states), torch.cat(actions))
