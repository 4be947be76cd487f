"""Planted faults are named, each by the part that is at fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.experiments.diagnosis import toy

FAULTS: dict[str, tuple[str, Callable[[], toy.Model], Sequence[str]]] = {
    "nothing": ("none", toy.Model, ()),
    "noisy dynamics": ("model", toy.Noisy, ()),
    "a wrong action scale": ("model", lambda: toy.Acting(0.2, 0.2), ()),
    "mirrored actions": ("model", lambda: toy.Acting(-1.0, 1.0), ()),
    "imagination without contact": ("model", toy.Untouched, ()),
    "merged slots": ("model", toy.Merging, ()),
    "lost slots": ("model", toy.Losing, ()),
    "a misread goal": ("cost", toy.Misreading, ()),
    "the hand taken for an object": ("cost", toy.Mistaking, ()),
    "a misplaced cost": (
        "cost",
        toy.Model,
        ["objective=keep_out", "objective.terms.keep_out.cost.regions=[[0.3,0.3,0.7,0.7]]"],
    ),
    "a cost that forbids to move": (
        "cost",
        toy.Model,
        ["objective=effort", "objective.terms.effort.weight=10"],
    ),
    "a starved search": (
        "search",
        toy.Model,
        ["planner.samples=2", "planner.elites=2", "planner.iterations=1"],
    ),
    "a search that hardly moves": ("search", toy.Model, ["planner.std=0.01"]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_named(name: str, tmp_path: Path) -> None:
    culprit, model, words = FAULTS[name]
    found = toy.toy_diagnosis(model(), tmp_path, *words)
    rates = {row.label: row.success_rate for row in found.evidence.rows}
    assert found.verdict == culprit, (rates, found.evidence.reasons, found.evidence.sight)
