"""On a device: what is captured is what the model computes, and memory stays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from armillary.planners.costs import PixelDistance, SlotMatching
from armillary.planners.objective import Objective, Term
from armillary.world_models.latent import LatentSimulator
from tests.world_models.kinds import MODELS, small
from tests.world_models.replay.test_recordings import clip, objectives

pytestmark = pytest.mark.cuda
DEVICE = "cuda"


@pytest.fixture(params=MODELS)
def model(request):
    torch.manual_seed(0)
    built = small(request.param)
    with torch.no_grad():
        for parameter in built.parameters():
            if parameter.ndim > 1:
                torch.nn.init.xavier_normal_(parameter, 1.0)
    return built


@pytest.mark.parametrize("particles", [1, 2])
def test_captured_beliefs_scores_and_gradients_are_those_of_the_model(model, particles):
    eager = LatentSimulator(model, DEVICE, particles, capture=False)
    captured = LatentSimulator(model, DEVICE, particles)
    costs = objectives()
    for seed in range(4):  # the first call of a shape runs as it is
        taken = np.full((2, 2), 0.1 * seed, np.float32)
        random = torch.Generator().manual_seed(seed)
        actions = (torch.rand(2, 3, 2, 2, generator=random) - 0.5).to(DEVICE)
        found = []
        for simulator in (eager, captured):
            state = simulator.observe(None, taken, clip(model, seed))
            state = simulator.observe(state, taken, clip(model, seed + 10))
            aim = simulator.goal(state, clip(model, seed))
            history = [[clip(model, seed)[row], clip(model, seed + 10)[row]] for row in range(2)]
            again = simulator.encode(history, taken[:, None])
            results = [*state.tensors().values(), *again.tensors().values()]
            for cost in costs:
                noise = [torch.Generator(DEVICE).manual_seed(i) for i in range(2)]
                results.append(simulator.score(state, actions, cost, aim, noise))
                varied = actions.clone().requires_grad_()
                noise = [torch.Generator(DEVICE).manual_seed(i) for i in range(2)]
                total = simulator.score(state, varied, cost, aim, noise).square().sum()
                results += torch.autograd.grad(total, varied)
            found.append(results)
        for expected, replayed in zip(*found, strict=True):
            assert_close(replayed, expected, rtol=1e-3, atol=1e-4)


def test_a_device_computes_what_the_processor_does(model, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    scores = []
    for device in ("cpu", DEVICE):
        simulator = LatentSimulator(model, device)
        state = simulator.observe(None, np.zeros((2, 2), np.float32), clip(model, 0))
        aim = simulator.goal(state, clip(model, 0))
        random = torch.Generator().manual_seed(0)
        actions = (torch.rand(2, 3, 2, 2, generator=random) - 0.5).to(device)
        scores += [simulator.score(state, actions, cost, aim).cpu() for cost in objectives()]
    half = len(scores) // 2
    for expected, found in zip(scores[:half], scores[half:], strict=True):
        assert_close(found, expected, rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("cost", [SlotMatching(), PixelDistance()], ids=["slots", "pixels"])
@pytest.mark.parametrize("capture", [False, True])
def test_peak_memory_of_a_score_does_not_grow_with_candidates(cost, capture):
    built = small("slot_dynamics", num_slots=5)
    simulator = LatentSimulator(built, DEVICE, capture=capture)
    state = simulator.observe(None, np.zeros((2, 2), np.float32), clip(built, 0))
    aim = simulator.goal(state, clip(built, 0))
    objective = Objective({"cost": Term(cost)})
    peaks = []
    for count in (4_000, 16_000):
        actions = torch.zeros(2, count, 12, 2, device=DEVICE)
        for _ in range(3):
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            simulator.score(state, actions, objective, aim)
            peaks.append(torch.cuda.max_memory_allocated() - before)
        assert peaks[-1] < 4 * 2**30
    assert peaks[5] < 1.5 * peaks[2] + 2**26


def test_shapes_that_always_change_take_no_more_memory():
    built = small("slot_dynamics", num_slots=5)
    simulator = LatentSimulator(built, DEVICE)
    state = simulator.observe(None, np.zeros((2, 2), np.float32), clip(built, 0))
    aim = simulator.goal(state, clip(built, 0))
    objective = Objective({"slots": Term(SlotMatching())})
    held = []
    for count in range(100, 160):
        for _ in range(2):
            simulator.score(state, torch.zeros(2, count, 4, 2, device=DEVICE), objective, aim)
        held.append(torch.cuda.memory_allocated())
    assert held[-1] < held[19] + 2**27, "as many shapes are kept as were after twenty"
