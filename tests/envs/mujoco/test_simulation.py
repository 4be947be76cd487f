"""States go in and come out, and what happens after them is the same to the bit."""

from __future__ import annotations

import numpy as np

from armillary.envs.mujoco.simulation import Simulation
from tests.envs.mujoco.scenes import MODEL, fallen


def test_a_restored_state_goes_on_bit_for_bit() -> None:
    first, second = fallen(40), Simulation(MODEL)
    second.step(7)  # what was before does not matter
    second.restore(first.state())
    assert np.array_equal(second.data.geom_xpos, first.data.geom_xpos)
    for _ in range(5):
        first.step(9)
        second.step(9)
        assert np.array_equal(first.state(), second.state())


def test_a_state_is_a_copy() -> None:
    simulation = fallen(3)
    state = simulation.state()
    kept = state.copy()
    simulation.step(3)
    assert np.array_equal(state, kept)
    assert state.shape == (simulation.size,)


def test_settling_ends_when_all_is_still_or_time_is_up() -> None:
    simulation = fallen(0)
    simulation.settle(0.02, most=8)
    assert np.abs(simulation.data.qvel).max() > 0.02
    simulation.settle(0.02, most=4000)
    assert np.abs(simulation.data.qvel).max() < 0.02
    assert simulation.data.time < 40.0
