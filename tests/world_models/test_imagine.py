"""The core and the scores: pieces change nothing, memory is bounded, bf16 runs, gradients flow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounter
from torch.testing import assert_close

from armillary.errors import ArmillaryError, RunError
from armillary.memory import PeakMemory
from armillary.planners.costs import (
    Approach,
    Cost,
    Effort,
    LatentDistance,
    ObjectPosition,
    PixelDistance,
    SlotMatching,
)
from armillary.planners.objective import Objective, Term
from armillary.world_models.imagine import Budget, Imaginer
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.model import WorldModel
from armillary.world_models.registry import build_model
from armillary.world_models.state import LatentState

SIZE = 8
SLOTS: dict[str, Any] = {
    "image_size": SIZE,
    "num_slots": 3,
    "latent_size": 4,
    "conv_channels": 4,
    "lstm_hidden": 8,
}
MODELS: dict[str, dict[str, Any]] = {
    "sdvae": SLOTS,
    "op3": SLOTS,
    "ssm": SLOTS,
    "vrnn": {"image_size": SIZE, "latent_size": 4, "hidden": 16, "conv_channels": 4},
    "slot_dynamics": {"image_size": 32, "num_slots": 3, "content_size": 6},
    "rssm": {"image_size": SIZE, "latent_size": 4, "hidden": 16, "memory_size": 16},
    "patch_dynamics": {"image_size": SIZE, "grid": 2, "width": 16},
}
WHOLE = ("vrnn", "rssm", "patch_dynamics")
"""Those that do not segment."""
SLOT_COSTS = {
    "slots": SlotMatching(),
    "slots and positions": SlotMatching(positions_weight=1.0),
    "latent": LatentDistance(),
    "pixel": PixelDistance(),
    "effort": Effort(),
}
COSTS: dict[str, Cost] = {**SLOT_COSTS, "position": ObjectPosition(), "approach": Approach()}
CASES = [
    (model, cost) for model in MODELS for cost in COSTS if model not in WHOLE or cost in SLOT_COSTS
]
EVERY_COST_AND_EVERY_MODEL = [
    (model, cost)
    for model, cost in CASES
    if model == "sdvae" or cost == "pixel" or (model == "slot_dynamics" and cost == "position")
]
"""Each cost on one model, each model under the cost that asks the most of it."""
PROBLEMS, HORIZON = 2, 3


@cache
def model_of(name: str) -> WorldModel:
    """Small, with weights that make actions matter."""
    torch.manual_seed(0)
    model = build_model(name, action_size=2, **MODELS[name])
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                torch.nn.init.xavier_normal_(parameter, 1.0)
    return model.eval()


class Problem:
    """Two planning problems on noise images, and what to ask of a simulator about them."""

    def __init__(self, name: str, cost: str, **settings: Any) -> None:
        model = model_of(name)
        self.simulator = LatentSimulator(model, "cpu", **settings)
        rng = np.random.default_rng(0)
        shape = (2, PROBLEMS, model.image_size, model.image_size, 3)
        images = rng.integers(0, 256, shape, np.uint8)
        observations = [
            {"image": seen, "goal_image": goal} for seen, goal in zip(*images, strict=True)
        ]
        context = model.context_length
        taken = np.zeros((PROBLEMS, context - 1, 2), np.float32)
        self.state = self.simulator.encode([[o] * context for o in observations], taken)
        goal = self.simulator.goal(self.state, observations)
        if model.num_slots > 1:  # whatever an untrained model takes for an object
            one = torch.eye(model.num_slots).expand(PROBLEMS, -1, -1)
            goal = replace(goal, objects=one[:, 0] + one[:, 1], effector=one[:, 2])
        self.goal = goal
        self.objective = Objective({cost: Term(COSTS[cost])})

    def actions(self, candidates: int) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        return torch.rand(PROBLEMS, candidates, HORIZON, 2, generator=generator) * 2 - 1

    def score(self, actions: Tensor) -> Tensor:
        generators = [torch.Generator().manual_seed(i) for i in range(PROBLEMS)]
        return self.simulator.score(self.state, actions, self.objective, self.goal, generators)


def tiny(name: str) -> Budget:
    """Of a few candidates."""
    model = model_of(name)
    frame = 12 * model.image_size**2
    return Budget(pixels=8 * model.num_slots * model.image_size**2, bytes=50 * frame)


@pytest.mark.parametrize(("name", "cost"), EVERY_COST_AND_EVERY_MODEL)
def test_memory_of_scores_does_not_grow_with_candidates(name: str, cost: str) -> None:
    problem = Problem(name, cost, particles=2, budget=tiny(name))
    peaks = []
    for candidates in (8, 24):
        actions = problem.actions(candidates)
        with torch.no_grad(), PeakMemory() as memory:
            problem.score(actions)
        # The actions themselves and the scores are the caller's.
        peaks.append(memory.peak - 3 * actions.nbytes)
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.parametrize(("name", "rows"), [("vrnn", 64), ("sdvae", 14)])
def test_steps_that_decode_take_a_few_images_at_a_time_others_a_few_pairs_of_slots(
    name: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, budget = model_of(name), Budget(pixels=64 * 8**2, bytes=2**30)
    counts: list[int] = []
    state = Problem(name, "latent").state.index(slice(1)).repeat(100)
    step = model.step

    def counted(now: LatentState, *more: Tensor) -> LatentState:
        counts.append(len(now))
        return step(now, *more)

    monkeypatch.setattr(model, "step", counted)
    with torch.no_grad():
        Imaginer(model, budget=budget).rollout(state, torch.zeros(100, 1, 2))
    assert counts[0] == rows
    assert sum(counts) == 100


@pytest.mark.parametrize("read", ["slots", "positions", "frames", "masks"])
@pytest.mark.parametrize("name", ["sdvae", "vrnn"])
def test_what_is_read_off_many_states_is_decoded_a_few_at_a_time(name: str, read: str) -> None:
    core = Imaginer(model_of(name), budget=tiny(name))
    state = Problem(name, "latent").state
    peaks = []
    for count in (20, 60):
        with torch.no_grad(), PeakMemory() as memory:
            result = getattr(core, read)(state.repeat(count))
        # What is returned, once in parts and once whole, and the states themselves, grow.
        rows = sum(tensor.nbytes for tensor in state.tensors().values()) * count
        peaks.append(memory.peak - 2 * result.nbytes - rows)
    assert peaks[1] < 1.1 * peaks[0] + 1000


@pytest.mark.parametrize("name", MODELS)
def test_beliefs_of_many_scenes_are_inferred_a_few_at_a_time(name: str) -> None:
    core = Imaginer(model_of(name), budget=tiny(name))
    size, peaks = core.model.image_size, []
    for count in (10, 30):
        frames, actions = torch.rand(count, 2, 3, size, size), torch.zeros(count, 1, 2)
        with torch.no_grad(), PeakMemory() as memory:
            state = core.encode(frames, actions)
        kept = sum(tensor.nbytes for tensor in state.tensors().values())
        peaks.append(memory.peak - 2 * kept)
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.parametrize(("name", "cost"), EVERY_COST_AND_EVERY_MODEL)
def test_pieces_do_not_change_scores(name: str, cost: str) -> None:
    whole, piecewise = (
        Problem(name, cost, particles=2, budget=budget) for budget in (None, tiny(name))
    )
    actions = whole.actions(7)
    assert_close(piecewise.score(actions), whole.score(actions), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("name", "cost"), CASES)
def test_bfloat16_scores_every_cost_of_every_model(name: str, cost: str) -> None:
    exact = Problem(name, cost)
    rough = Problem(name, cost, precision="bfloat16")
    for tensor in [*rough.state.tensors().values(), rough.goal.view.frames, rough.goal.objects]:
        assert tensor.dtype == torch.float32
    # From the same beliefs and goals: inference by argmax may well choose otherwise.
    rough.state, rough.goal = exact.state, exact.goal
    actions = exact.actions(3)
    found = rough.score(actions)
    assert found.dtype == torch.float32
    assert found.isfinite().all()
    expected = exact.score(actions)
    # Positions are rounded to 1/256, and the squares of that are the least differences.
    assert_close(found, expected, atol=2e-5, rtol=0.05)


@pytest.mark.parametrize(("name", "cost"), EVERY_COST_AND_EVERY_MODEL)
def test_scores_have_the_gradient_of_finite_differences(name: str, cost: str) -> None:
    problem = Problem(name, cost, particles=2, budget=tiny(name))
    actions = problem.actions(6).requires_grad_()
    scores = problem.score(actions)
    (gradient,) = torch.autograd.grad(scores.sum(), actions)
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0
    direction = torch.randn(actions.shape, generator=torch.Generator().manual_seed(3))
    step, ahead = 2e-3, actions.detach()
    with torch.no_grad():
        difference = problem.score(ahead + step * direction) - problem.score(
            ahead - step * direction
        )
    found = (gradient * direction).sum((2, 3))
    error = (difference / (2 * step) - found).abs().median()
    assert error < 0.05 * found.abs().median() + 2e-4


def test_scores_of_plain_actions_keep_no_graph() -> None:
    problem = Problem("sdvae", "pixel")
    assert not problem.score(problem.actions(3)).requires_grad
    rollout = problem.simulator.rollout(problem.state, problem.actions(3))
    assert not rollout.positions.requires_grad
    assert not problem.state.requires_grad
    with torch.no_grad():
        assert not problem.score(problem.actions(3).requires_grad_()).requires_grad


def test_memory_of_gradients_does_not_grow_with_candidates() -> None:
    problem = Problem("sdvae", "pixel", budget=tiny("sdvae"))
    peaks = []
    for candidates in (8, 24):
        actions = problem.actions(candidates).requires_grad_()
        with PeakMemory() as memory:
            torch.autograd.grad(problem.score(actions).sum(), actions)
        peaks.append(memory.peak - 6 * actions.nbytes)
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_gradients_are_recorded_as_the_caller_says(precision: str) -> None:
    core = Imaginer(model_of("sdvae"), precision)
    state = Problem("sdvae", "latent").state
    actions = torch.zeros(PROBLEMS, HORIZON, 2)
    reads: list[Callable[[Any], Tensor]] = [core.slots, core.positions, core.frames, core.masks]
    for read in reads:
        assert read(core.rollout(state, actions).flatten(2)).requires_grad
        with torch.no_grad():
            assert not read(core.rollout(state, actions).flatten(2)).requires_grad


def test_a_compiled_step_serves_every_horizon_and_number_of_candidates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counter = CompileCounter()
    compiled = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda step, **options: compiled(step, backend=counter, **options)
    )
    torch._dynamo.reset()
    state = Problem("sdvae", "latent").state
    core, plain = Imaginer(model_of("sdvae"), compile=True), Imaginer(model_of("sdvae"))
    with torch.no_grad():
        compilations = []
        for count, horizon in ((2, 3), (4, 5), (6, 2), (3, 7)):
            actions = torch.rand(PROBLEMS * count, horizon, 2)
            found = core.rollout(state.repeat(count), actions)
            assert_close(found.latents, plain.rollout(state.repeat(count), actions).latents)
            compilations.append(counter.frame_count)
    assert compilations[-1] == compilations[1], "later sizes need no compilation"


class Small:
    """A device that has no memory for more than some candidates at a time."""

    def __init__(self, method: Callable[..., Any], most: int) -> None:
        self.method, self.most, self.given = method, most, []

    def __call__(self, state: Any, action: Tensor, noise: Any = None) -> Any:
        self.given.append(len(action))
        if len(action) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")
        return self.method(state, action, noise)


def test_a_device_with_too_little_memory_gets_half_as_much_at_a_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = build_model("slot_dynamics", action_size=2, **MODELS["slot_dynamics"]).eval()
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    observations = [{"image": image, "goal_image": image} for image in images]
    actions = torch.rand(2, 64, 3, 2) - 0.5
    objective = Objective({"latent": Term(LatentDistance())})
    scores, budget = [], Budget(pixels=2**20, bytes=2**21)
    for most in (10**9, 20):
        simulator = LatentSimulator(model, "cpu", budget=budget)
        state = simulator.observe(None, np.zeros((2, 2), np.float32), observations)
        goal = simulator.goal(state, observations)
        small = Small(simulator._core._step, most)
        simulator._core._step = small
        scores.append(simulator.score(state, actions, objective, goal))
        again = len(small.given)
        scores.append(simulator.score(state, actions, objective, goal))
        assert max(small.given[again:]) <= most, "what was learnt is kept"
    for score in scores[1:]:
        assert_close(score, scores[0])
    assert "half as much is computed at a time" in caplog.text
    simulator._core._step = Small(model.step, 0)
    with pytest.raises(RunError, match=r"3 slots of 32 x 32 pixels, one at a time: CUDA out"):
        simulator.score(state, actions, objective, goal)


@pytest.mark.parametrize(
    ("precision", "message"),
    [("tf32", "needs a cuda device, got cpu"), ("fp16", "needs a cuda"), ("bf61", "'bf16'")],
)
def test_a_precision_that_a_device_lacks_is_refused(precision: str, message: str) -> None:
    model = build_model("slot_dynamics", action_size=2, **MODELS["slot_dynamics"])
    with pytest.raises(ArmillaryError, match=message):
        Imaginer(model, precision)
