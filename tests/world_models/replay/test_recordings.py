"""Recordings: replayed, bounded, refused where they must be; what has to wait for a device."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from armillary.planners.costs import Effort, LatentDistance, PixelDistance
from armillary.planners.objective import Objective, Term
from armillary.world_models import latent
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.registry import build_model
from armillary.world_models.replay.recordings import Recordings
from tests.waiting import without_waiting
from tests.world_models.test_published_models import FRAMEWISE, SLOTS

MODELS = {
    "slot_dynamics": {"image_size": 32, "action_size": 2, "num_slots": 4},
    **dict.fromkeys(("sdvae", "sdvae_davos", "op3", "ssm"), SLOTS),
    **dict.fromkeys(("vrnn", "vrnn_star"), FRAMEWISE),
}


class Rerun:
    """Records as a graph does: the same buffers in, the same results out, nothing else looked at.

    What is refused says so, as a device would.
    """

    def __init__(self, refused=False):
        self.refused, self.recorded, self.replayed = refused, 0, 0

    def __call__(self, function):
        if self.refused:
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        self.recorded += 1
        results = function()

        def replay():
            self.replayed += 1
            for result, new in zip(results, function(), strict=True):
                result.copy_(new)
            return results

        return replay


def doubled(tensor):
    return (2 * tensor,)


def test_the_first_call_runs_as_it_is_and_the_others_are_replayed():
    record = Rerun()
    recordings = Recordings(record)
    results = [recordings.call("it", doubled, [torch.full((2,), float(i))], None) for i in range(4)]
    assert [result[0].tolist() for result in results] == [[2.0 * i] * 2 for i in range(4)]
    assert (record.recorded, record.replayed) == (1, 3)


def test_shapes_that_always_change_are_not_recorded_and_not_kept():
    record = Rerun()
    recordings = Recordings(record, limit=3)
    for size in range(1, 20):
        assert recordings.call("it", doubled, [torch.ones(size)], None)[0].tolist() == [2.0] * size
    assert (len(recordings), recordings.replayed, record.recorded) == (3, 0, 0)


def test_what_cannot_be_recorded_runs_and_is_told_once(caplog):
    recordings = Recordings(Rerun(refused=True))
    with caplog.at_level(logging.WARNING):
        for i in range(4):
            (result,) = recordings.call("scoring of Toy", doubled, [torch.full((2,), i)], None)
            assert result.tolist() == [2 * i] * 2
    (message,) = caplog.messages
    assert message.startswith("scoring of Toy cannot be recorded and runs step by step: operation")
    assert "\n" not in message


def test_another_owner_is_another_function():
    recordings = Recordings(Rerun())
    owners = [object(), object()]
    for _ in range(3):
        for factor, owner in enumerate(owners, start=1):
            given = [torch.ones(2)]
            (result,) = recordings.call("it", lambda x, f=factor: (f * x,), given, owner)
            assert result.tolist() == [factor] * 2


def clip(model, seed):
    generator = np.random.default_rng(seed)
    size = model.image_size
    kinds = ("image", "goal_image")
    return [{k: generator.integers(0, 256, (size, size, 3), np.uint8) for k in kinds} for _ in "ab"]


@pytest.fixture(params=MODELS)
def model(request):
    torch.manual_seed(0)
    built = build_model(request.param, **MODELS[request.param]).eval()
    with torch.no_grad():
        for parameter in built.parameters():
            if parameter.ndim > 1:
                torch.nn.init.xavier_normal_(parameter, 1.0)
    return built


def objectives():
    kinds = ((LatentDistance, Effort), (PixelDistance,))
    return [Objective({kind.__name__: Term(kind()) for kind in some}) for some in kinds]


@pytest.mark.parametrize("particles", [1, 2])
def test_replayed_plans_are_those_of_the_model(model, monkeypatch, particles):
    plain = LatentSimulator(model, "cpu", particles)
    record = Rerun()
    monkeypatch.setattr(latent, "recorder", lambda device: record)
    replaying = LatentSimulator(model, "cpu", particles)
    costs = objectives()
    for seed in range(3):
        observations = clip(model, seed)
        actions = torch.rand(2, 3, 2, 2, generator=torch.Generator().manual_seed(seed)) - 0.5
        taken = np.full((2, 2), 0.1 * seed, np.float32)
        found = []
        for simulator in (plain, replaying):
            state = simulator.observe(None, taken, observations)
            state = simulator.observe(state, taken, clip(model, seed + 10))
            goal = simulator.goal(state, observations)
            scores = []
            for cost in costs:
                generators = [torch.Generator().manual_seed(i) for i in range(2)]
                scores.append(simulator.score(state, actions, cost, goal, generators))
                varied = actions.clone().requires_grad_()
                generators = [torch.Generator().manual_seed(i) for i in range(2)]
                total = simulator.score(state, varied, cost, goal, generators).square().sum()
                scores += torch.autograd.grad(total, varied)
            found.append((*state.tensors().values(), *scores))
        for expected, replayed in zip(*found, strict=True):
            assert_close(replayed, expected)
    assert record.recorded == 1 + 2 * len(costs)
    assert record.replayed == 2 * record.recorded


def test_a_device_would_not_wait_for_a_model(model):
    context = torch.rand(2, model.context_length, 3, model.image_size, model.image_size)
    taken = torch.rand(2, 2)
    noise = torch.randn(2, *model.noise_shape)

    def everything(state):
        state = model.observe(model.step(state, taken, noise), taken, context[:, 0])
        return model.slots(state), model.positions(state), model.decode(state).frames

    with torch.no_grad():
        state = model.encode(context, torch.rand(2, model.context_length - 1, 2))
        everything(state)
        with without_waiting():
            everything(state)


@pytest.mark.parametrize(
    "wait", [float, torch.nonzero, lambda x: x[x > 0], lambda x: x.new_tensor([1])]
)
def test_waiting_is_noticed(wait):
    with pytest.raises(AssertionError, match="aten"), without_waiting():
        wait(torch.ones(1))
