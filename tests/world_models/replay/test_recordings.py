"""Recordings: replayed, bounded, refused where they must be; what has to wait for a device."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from armillary.contracts.imagined import goal, rollout, view
from armillary.planners.costs import (
    Approach,
    Effort,
    KeepOut,
    LatentDistance,
    Limits,
    ObjectPosition,
    PixelDistance,
    Smoothness,
)
from armillary.planners.objective import Objective, Term
from armillary.world_models import latent
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.replay.recordings import Recordings, leaves
from tests.waiting import without_waiting
from tests.world_models.kinds import MODELS, small


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


def called(recordings, function, given, owner=None, name="it"):
    return recordings.call(name, lambda: function(given), function, [given], owner)


def test_the_first_call_runs_as_it_is_and_the_others_are_replayed():
    record = Rerun()
    recordings = Recordings(record)
    given = [torch.full((2,), float(i)) for i in range(4)]
    results = [called(recordings, doubled, one) for one in given]
    assert [result[0].tolist() for result in results] == [[2.0 * i] * 2 for i in range(4)]
    assert (record.recorded, record.replayed) == (1, 3)


def test_shapes_that_always_change_are_not_recorded_and_not_kept():
    record = Rerun()
    recordings = Recordings(record, limit=3)
    for size in range(1, 20):
        assert called(recordings, doubled, torch.ones(size))[0].tolist() == [2.0] * size
    assert (len(recordings), recordings.replayed, record.recorded) == (3, 0, 0)


def test_what_cannot_be_recorded_runs_and_is_told_once(caplog):
    recordings = Recordings(Rerun(refused=True))
    with caplog.at_level(logging.WARNING):
        for i in range(12):  # in four shapes
            given = torch.full((2 + i // 3,), i)
            (result,) = called(recordings, doubled, given, name="scoring of Toy")
            assert result.tolist() == [2 * i] * len(given)
    (message,) = caplog.messages
    assert message.startswith("scoring of Toy cannot be recorded and runs step by step: operation")
    assert "\n" not in message


def test_where_memory_is_too_short_that_shape_runs_as_it_is_and_others_are_recorded(caplog):
    record = Rerun()

    def recorded(function):
        if record.recorded == 0 and len(function()[0]) == 3:
            raise torch.OutOfMemoryError("CUDA out of memory\nand more")
        return record(function)

    recordings = Recordings(recorded)
    for i in range(6):
        for size in (3, 2):
            given = torch.full((size,), i)
            assert called(recordings, doubled, given)[0].tolist() == [2 * i] * size
    assert (recordings.replayed, record.replayed) == (1, 5)
    (message,) = caplog.messages
    assert message == "it cannot be recorded and runs step by step: CUDA out of memory"


def test_what_is_refused_takes_nothing_else_with_it():
    record = Rerun()
    recordings = Recordings(record)

    def run(fixed):
        given = torch.ones(2)
        return recordings.call("it", lambda: doubled(given), doubled, [given], None, fixed)

    for _ in range(3):
        run("fits")
    record.refused = True
    for _ in range(3):
        run("does not")
    assert recordings.refused == ("it",)
    run("fits")
    assert (recordings.replayed, record.replayed) == (1, 3)


def test_another_owner_is_another_function():
    recordings = Recordings(Rerun())
    owners = [object(), object()]
    for _ in range(3):
        for factor, owner in enumerate(owners, start=1):
            (result,) = called(recordings, lambda x, f=factor: (f * x,), torch.ones(2), owner)
            assert result.tolist() == [factor] * 2


def test_what_is_called_while_something_is_recorded_is_part_of_that():
    record = Rerun()
    recordings = Recordings(record)

    def outer(tensor):
        return called(recordings, doubled, tensor, name="inner")

    for i in range(4):
        given = torch.full((2,), float(i))
        assert called(recordings, outer, given, name="outer")[0].tolist() == [2.0 * i] * 2
    assert (record.recorded, record.replayed) == (1, 3)


def clip(model, seed):
    generator = np.random.default_rng(seed)
    size = model.image_size
    kinds = ("image", "goal_image")
    return [{k: generator.integers(0, 256, (size, size, 3), np.uint8) for k in kinds} for _ in "ab"]


@pytest.fixture(params=MODELS)
def model(request):
    torch.manual_seed(0)
    built = small(request.param).eval()
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
            history = [[clip(model, seed)[row], clip(model, seed + 10)[row]] for row in range(2)]
            again = simulator.encode(history, taken[:, None])
            aim = simulator.goal(state, observations)
            scores = leaves(aim)
            for cost in costs:
                generators = [torch.Generator().manual_seed(i) for i in range(2)]
                scores.append(simulator.score(state, actions, cost, aim, generators))
                varied = actions.clone().requires_grad_()
                generators = [torch.Generator().manual_seed(i) for i in range(2)]
                total = simulator.score(state, varied, cost, aim, generators).square().sum()
                scores += torch.autograd.grad(total, varied)
            believed = (*state.tensors().values(), *again.tensors().values())
            found.append((*believed, *scores))
        for expected, replayed in zip(*found, strict=True):
            assert_close(replayed, expected)
    known = "a first frame, a next one, a history, a goal's scene, its match, its probe, the scores"
    assert record.recorded >= 6 + len(costs), known
    assert record.replayed > record.recorded


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


def begun(simulator):
    observations = clip(simulator.model, 0)
    state = simulator.observe(None, np.zeros((2, 2), np.float32), observations)
    return state, simulator.goal(state, observations)


def test_what_is_read_off_a_goal_is_read_once(monkeypatch):
    simulator = LatentSimulator(small("slot_dynamics"), "cpu")
    state, aim = begun(simulator)
    aim = aim.index(torch.arange(2))  # nothing is read off this one yet
    decoded, decode = [], simulator.model.decode
    monkeypatch.setattr(simulator.model, "decode", lambda s: decoded.append(len(s)) or decode(s))
    objective = Objective({"pixel": Term(PixelDistance())})
    for grad in (False, True, False):
        actions = torch.zeros(2, 3, 2, 2, requires_grad=grad)
        simulator.score(state, actions, objective, aim)
    assert decoded.count(2) == 1, "the two goals are decoded together, once"


def test_scores_that_do_not_depend_on_actions_have_no_gradient():
    simulator = LatentSimulator(small("slot_dynamics"), "cpu")
    state, aim = begun(simulator)
    weight = simulator.model.posterior.weight  # requires a gradient, as weights do

    def constant(imagined, aim):
        return weight.sum() * torch.ones(imagined.shape[:2])

    actions = torch.zeros(2, 3, 2, 2, requires_grad=True)
    assert not simulator.score(state, actions, constant, aim).requires_grad


COSTS = [
    *(Effort(), Smoothness(), Approach(0.1, 0.05), ObjectPosition(), ObjectPosition("max")),
    *(LatentDistance(), PixelDistance(), Limits(), Limits([-0.5, 0], [0.5, 1])),
    KeepOut([(0.1, 0.1, 0.4, 0.4)]),
]


@pytest.mark.parametrize("cost", COSTS, ids=lambda cost: type(cost).__name__)
def test_a_device_would_not_wait_for_a_cost(cost):
    imagined, aim = rollout(), goal(view(seed=1), [2, 0, 3, 1], [1.0, 1, 0, 0], [0.0, 0, 1, 0])
    cost(imagined, aim)
    with without_waiting():
        cost(imagined, aim)


@pytest.mark.parametrize(
    "wait", [float, torch.nonzero, lambda x: x[x > 0], lambda x: x.new_tensor([1])]
)
def test_waiting_is_noticed(wait):
    with pytest.raises(AssertionError, match="aten"), without_waiting():
        wait(torch.ones(1))
