"""What of a model is exported: pure functions of tensors, and what their arguments are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from armillary.world_models.model import WorldModel
from armillary.world_models.replay.recordings import Pure, Tensors, leaves, regrown
from armillary.world_models.state import LatentState

_SETTLED = 2
"""Frames that an example's belief has seen."""


@dataclass(frozen=True)
class Value:
    """A float32 tensor that goes into a program or comes out of it, N rows of it.

    Attributes:
        name: of the argument; a belief's start with ``state_``, those of the next with ``next_``.
        shape: of a row.
        meaning: what it is.
        range: the least and the greatest number; None where there are none.
    """

    name: str
    shape: tuple[int, ...]
    meaning: str
    range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Program:
    """A function of tensors that share their first dimension N.

    Attributes:
        name: of it.
        meaning: what it computes.
        function: takes the ``inputs`` by position and returns the ``outputs``.
        inputs: in their order.
        outputs: in their order.
    """

    name: str
    meaning: str
    function: Pure
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]

    def arguments(self, values: Mapping[str, Tensor]) -> list[Tensor]:
        """The inputs among ``values``, see ``examples``."""
        return [values[value.name] for value in self.inputs]


def programs_of(model: WorldModel) -> list[Program]:
    """The programs of a model: start, observe, step, slots, positions and decode.

    The noise is an argument of ``step``, so that every program is deterministic.

    Args:
        model: in evaluation mode.
    """
    belief = _belief(model, 1, torch.Generator().manual_seed(0))
    fields = {name: tuple(tensor.shape[1:]) for name, tensor in belief.tensors().items()}
    before, after = (
        tuple(Value(f"{which}_{name}", shape, "of the belief") for name, shape in fields.items())
        for which in ("state", "next")
    )
    action, frame, noise = _given(model)
    size, slots = model.image_size, model.num_slots

    def of_state(read: Callable[..., Sequence[Tensor]]) -> Pure:
        def function(*given: Tensor) -> Tensors:
            return tuple(read(regrown(belief, given), *given[len(fields) :]))

        return function

    def decode(state: LatentState) -> Sequence[Tensor]:
        scene = model.decode(state)
        return scene.components, scene.masks

    return [
        Program(
            "start",
            "the belief after a first frame, and the action that led to it: zeros where none did",
            lambda *given: tuple(leaves(model.observe(None, *given))),
            (action, frame),
            after,
        ),
        Program(
            "observe",
            "the belief after one more frame, and the action that led to it",
            of_state(lambda state, *given: leaves(model.observe(state, *given))),
            (*before, action, frame),
            after,
        ),
        Program(
            "step",
            "the belief that an action is imagined to lead to",
            of_state(lambda state, *given: leaves(model.step(state, *given))),
            (*before, action, noise),
            after,
        ),
        Program(
            "slots",
            "a vector for every slot",
            of_state(lambda state: [model.slots(state)]),
            before,
            (Value("slots", (slots, model.slot_size), "of the slots"),),
        ),
        Program(
            "positions",
            "where every slot is seen",
            of_state(lambda state: [model.positions(state)]),
            before,
            (Value("positions", (slots, 2), "x to the right, y down, of the image", (0.0, 1.0)),),
        ),
        Program(
            "decode",
            "what every slot looks like; the image is the sum over slots of components * masks",
            of_state(decode),
            before,
            (
                Value("components", (slots, 3, size, size), "red, green and blue", (0.0, 1.0)),
                Value("masks", (slots, 1, size, size), "they sum to 1 over the slots", (0.0, 1.0)),
            ),
        ),
    ]


def examples(model: WorldModel, count: int, seed: int = 0) -> dict[str, Tensor]:
    """Random inputs by name: frames and actions, beliefs that saw some, and noise.

    Args:
        model: in evaluation mode.
        count: N.
        seed: of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    belief = _belief(model, count, generator)
    state = {f"state_{name}": tensor for name, tensor in belief.tensors().items()}
    return {**state, **_drawn(model, count, generator)}


def zero_noise_is_the_mean(model: WorldModel) -> bool:
    """Whether ``step`` with noise of zeros is ``step`` without noise, but for rounding."""
    drawn = _drawn(model, 3, torch.Generator().manual_seed(1))
    belief, action = _belief(model, 3, torch.Generator().manual_seed(2)), drawn["action"]
    with torch.no_grad():
        pairs = zip(
            leaves(model.step(belief, action, torch.zeros_like(drawn["noise"]))),
            leaves(model.step(belief, action)),
            strict=True,
        )
        return all(torch.allclose(*pair, rtol=1e-4, atol=1e-5) for pair in pairs)


def _given(model: WorldModel) -> tuple[Value, Value, Value]:
    size = model.image_size
    return (
        Value("action", (model.action_size,), "in the environment's units"),
        Value("frame", (3, size, size), "red, green and blue", (0.0, 1.0)),
        Value("noise", tuple(model.noise_shape), "standard normal"),
    )


def _drawn(model: WorldModel, count: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Inputs that are no belief; actions are as far spread as those that were trained on."""
    device, (action, frame, noise) = model.action_mean.device, _given(model)
    normal = torch.randn(count, *action.shape, generator=generator).to(device)
    return {
        "action": model.action_mean + model.action_std * normal,
        "frame": torch.rand(count, *frame.shape, generator=generator).to(device),
        "noise": torch.randn(count, *noise.shape, generator=generator).to(device),
    }


def _belief(model: WorldModel, count: int, generator: torch.Generator) -> LatentState:
    state: LatentState | None = None
    with torch.no_grad():
        for _ in range(_SETTLED):
            drawn = _drawn(model, count, generator)
            state = model.observe(state, drawn["action"], drawn["frame"])
    assert state is not None
    return state
