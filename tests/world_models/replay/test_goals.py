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
from armillary.world_models.replay.recordings import Recordings, leaves
from armillary.world_models.state import Scene
from tests.world_models.kinds import small
from tests.world_models.replay.test_recordings import Rerun, clip

LOW, HIGH = torch.full((2,), -1.0), torch.ones(2)


class Beside(TorchDispatchMode):
    """Counts the operators that no replay computes, and numbers that are read back."""

    def __init__(self):
        super().__init__()
        self.within, self.count, self.waits = False, 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if not self.within and not func.is_view:
            self.count += 1
            self.waits += "_local_scalar_dense" in str(func)
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


def test_a_goal_is_read_with_few_launches_beside_its_recordings(beside):
    simulator = simulated()
    state = believed(simulator)
    for seed in range(3):
        beside.count = beside.waits = 0
        with beside:
            simulator.goal(state, clip(simulator.model, seed))
    assert beside.count < 100, "659 when goals were read beside recordings"
    assert beside.waits <= 3, "numbers are read back together"


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


def test_scenes_that_hold_nan_are_refused(monkeypatch):
    simulator = simulated()
    state, decode = believed(simulator), simulator.model.decode
    monkeypatch.setattr(
        simulator.model,
        "decode",
        lambda state: Scene(
            decode(state).components * torch.nan, torch.ones_like(decode(state).masks)
        ),
    )
    with pytest.raises(ArmillaryError, match="in 2 of 2 scenes or goals holds NaN or inf"):
        simulator.goal(state, clip(simulator.model, 0))
