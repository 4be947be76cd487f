"""Proposals for situations whose one slot shows the action that was taken last."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from armillary.contracts.optimizer import BOUNDS, uniform
from armillary.planners.proposals.network import InverseDynamics
from armillary.planners.proposals.recorded import Recorded
from armillary.planners.proposals.stored import Stored, save
from tests.planners.situations import IDENTITY


def recorded_actions(episodes: int = 30, frames: int = 25) -> Recorded:
    """What ``TakenSimulator`` shows of uniform actions."""
    actions = uniform(episodes, frames - 1, seed=5)
    slots = torch.cat([torch.zeros(episodes, 1, 3), actions], 1).unsqueeze(2)
    return Recorded(slots, actions, torch.ones(episodes, 1), torch.zeros(episodes, 1))


def untrained(horizon: int = 20, **settings: int) -> InverseDynamics:
    """Guesses without sense, within the bounds."""
    torch.manual_seed(0)
    sizes = {"slot_size": 3, "action_size": 3} | settings
    network = InverseDynamics(horizon=horizon, **sizes).eval()
    if sizes["action_size"] == 3:
        network.low.copy_(BOUNDS.low)
        network.high.copy_(BOUNDS.high)
    return network


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    path: Path = tmp_path_factory.mktemp("run") / "proposals"
    made = Stored(path, IDENTITY, untrained(), recorded_actions(), {"data": {"episodes": 30}})
    save(made)
    return made
