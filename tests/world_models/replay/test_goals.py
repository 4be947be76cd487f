"""Goals and what is looked at are read through recordings: the same, with few launches beside."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from armillary.errors import ArmillaryError
from armillary.world_models import latent
from armillary.world_models.goals.object import ObjectGoal
from armillary.world_models.goals.roles import FindRoles
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.replay.recordings import Recordings, is_recording, leaves
from armillary.world_models.state import Scene
from tests.world_models.kinds import small
from tests.world_models.replay.test_recordings import Rerun, clip

LOW, HIGH = torch.full((2,), -1.0), torch.ones(2)


class Beside(TorchDispatchMode):
    """Counts the operators that no replay computes."""

    def __init__(self):
        super().__init__()
        self.within, self.count = False, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if not self.within and not func.is_view:
            self.count += 1
        return func(*args, **(kwargs or {}))

    def __call__(self, function):
        """Records as ``Rerun`` does."""
        replay = Rerun()(function)

        def unseen():
            self.within = True
            results = replay()
            self.within = False
            return results

        return unseen


@pytest.fixture
def beside(monkeypatch):
    counting = Beside()
    monkeypatch.setattr(latent, "recorder", lambda device: counting)
    return counting


def simulated():
    torch.manual_seed(0)
    return LatentSimulator(small("slot_dynamics", num_slots=5), "cpu")


def believed(simulator, seed=0):
    return simulator.observe(None, np.zeros((2, 2), np.float32), clip(simulator.model, seed))


def test_a_goal_is_read_with_few_launches_beside_its_recordings(beside, monkeypatch):
    simulator = simulated()
    state = believed(simulator)
    waits = []
    for name in ("item", "tolist", "__bool__", "cpu", "numpy"):
        original = getattr(torch.Tensor, name)
        monkeypatch.setattr(
            torch.Tensor,
            name,
            lambda tensor, *given, original=original, name=name, **named: (
                waits.append(name) or original(tensor, *given, **named)
            ),
        )
    for seed in range(3):
        beside.count = 0
        waits.clear()
        with beside:
            simulator.goal(state, clip(simulator.model, seed))
    assert beside.count < 100, "a scene, its match and where actions lead are replayed"
    assert waits == ["tolist"], "numbers are read back together"


def test_things_that_are_named_are_seen_through_recordings(beside):
    recorded, plain = simulated(), simulated()
    plain._recordings = Recordings(None)
    find = FindRoles("none", "moved", LOW, HIGH)
    reader = ObjectGoal([{"slot": 1, "to": (0.5, 0.5)}], background="none")
    for seed in range(3):
        seen = []
        for simulator in (plain, recorded):
            state = believed(simulator, seed)
            roles = simulator.roles(state, find)
            seen.append((*leaves(simulator.view(state).scene), roles.objects, roles.effector))
        assert_close(*seen)
        reader.seen(recorded, state)
    assert recorded.replayed >= 4, "a belief, masks, a scene, where actions lead"


def test_gradients_of_what_is_read_are_not_lost(beside):
    simulator = simulated()
    state = believed(simulator)
    for _ in range(3):
        actions = torch.zeros(2, 2, requires_grad=True)
        seen = simulator.view(simulator.step(state, actions)).frames
        assert seen.requires_grad
        assert simulator.view(state).frames.requires_grad is False


@pytest.mark.parametrize("factors", [(torch.nan, 1.0), (1.0, torch.nan), (torch.nan, torch.nan)])
def test_scenes_that_hold_nan_are_refused(monkeypatch, factors):
    simulator = simulated()
    state, decode = believed(simulator), simulator.model.decode
    monkeypatch.setattr(
        simulator.model,
        "decode",
        lambda state: Scene(
            decode(state).components * factors[0], decode(state).masks * factors[1]
        ),
    )
    with pytest.raises(ArmillaryError, match="in 2 of 2 scenes or goals holds NaN or inf"):
        simulator.goal(state, clip(simulator.model, 0))


def test_many_states_are_read_as_they_are(beside):
    simulator = simulated()
    many = believed(simulator).repeat(40)
    before = simulator.replayed
    for _ in range(3):
        assert simulator.view(many).frames.shape[0] == 80
    assert simulator.replayed == before, "launches are no matter, memory is"


def test_too_little_memory_to_record_a_reading_is_no_smaller_budget(beside, monkeypatch, caplog):
    simulator = simulated()
    state, decode = believed(simulator), simulator.model.decode
    caplog.clear()

    def short(state):
        if is_recording():
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decode(state)

    monkeypatch.setattr(simulator.model, "decode", short)
    limits = simulator._core._limits
    for _ in range(3):
        assert simulator.view(state).frames.isfinite().all()
    assert simulator._core._limits == limits
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "reading frames of SlotDynamics cannot be recorded and runs step by step"
    ]


def test_more_slots_than_a_device_assigns_are_matched_without_a_recording(beside, caplog):
    torch.manual_seed(0)
    simulator = LatentSimulator(small("slot_dynamics", num_slots=13), "cpu")
    state = believed(simulator)
    for seed in range(3):
        simulator.goal(state, clip(simulator.model, seed))
    assert not simulator.refused
