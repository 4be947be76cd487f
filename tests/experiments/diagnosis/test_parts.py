"""The parts of a diagnosis by themselves: exchanges, the larger search, ranks, slots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from armillary.errors import ArmillaryError
from armillary.experiments.diagnosis.budget import Repeated
from armillary.experiments.diagnosis.costs import spearman
from armillary.experiments.diagnosis.exchanged import Strides
from armillary.experiments.diagnosis.sight import matched, overlaps, sight_of
from armillary.experiments.diagnosis.true_dynamics import TrueDynamics
from armillary.experiments.diagnosis.true_places import TruePlaces
from armillary.planners.cem import CEM
from armillary.planners.costs import Approach, ObjectPosition
from armillary.planners.objective import Objective, Term
from armillary.planners.optimizer import Bounds
from armillary.world_models.goals.image import ImageGoal
from tests.experiments.diagnosis import toy

OBJECTIVE = Objective({"place": Term(ObjectPosition()), "approach": Term(Approach(), 0.1)})
LOW, HIGH = -torch.ones(2), torch.ones(2)


def scored(simulator: object, model: toy.Model, candidates: torch.Tensor) -> torch.Tensor:
    """Costs of candidates (2, S, T, 2) in two problems of the toy."""
    envs = [toy.ToyTask(), toy.ToyTask()]
    seen = [{**env.reset(seed=i)[0], "state": env.snapshot()} for i, env in enumerate(envs)]
    seen = [{**o, "goal_state": e.goal_scene} for o, e in zip(seen, envs, strict=True)]
    use = simulator if simulator is not None else model
    state = use.observe(None, np.zeros((2, 2), np.float32), seen)  # type: ignore[attr-defined]
    goal = ImageGoal().read(use, state, seen, LOW, HIGH)  # type: ignore[arg-type]
    return use.score(state, candidates, OBJECTIVE, goal)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [TrueDynamics, TruePlaces])
def test_exchanges_of_a_perfect_model_change_nothing(kind: type) -> None:
    model = toy.Model()
    candidates = 2 * torch.rand(2, 7, 4, 2, generator=torch.Generator().manual_seed(0)) - 1
    exchanged = kind(model, toy.Model(), toy.Toy())
    assert torch.allclose(scored(exchanged, model, candidates), scored(None, model, candidates))


def test_true_dynamics_heal_imagination_and_true_places_the_goal() -> None:
    candidates = 2 * torch.rand(2, 7, 4, 2, generator=torch.Generator().manual_seed(0)) - 1
    right = scored(None, toy.Model(), candidates)
    for wrong, kind in ((toy.Acting(0.2, 0.2), TrueDynamics), (toy.Misreading(), TruePlaces)):
        assert not torch.allclose(scored(None, wrong, candidates), right)
        healed = scored(kind(wrong, toy.Model(), toy.Toy()), wrong, candidates)
        assert torch.allclose(healed, right)


def test_physics_at_a_stride_add_up_to_the_steps() -> None:
    scene = np.array([0.3, 0.5, 0.42, 0.5, 0.9, 0.9])
    actions = np.array([[2.0, 0.0], [0.0, -2.0]])
    steps = toy.Toy().simulate(scene, np.repeat(actions / 2, 2, 0))
    assert np.array_equal(Strides(toy.Toy(), 2).simulate(scene, actions), steps[1::2])


def test_a_larger_search_spends_so_many_times_the_budget_and_is_never_worse() -> None:
    def score(actions: torch.Tensor) -> torch.Tensor:
        return (actions - 0.37).square().sum((-1, -2))

    search = CEM(samples=4, elites=2, iterations=1)
    init, bounds = torch.zeros(3, 2, 2), Bounds(LOW, HIGH)
    generators = [[torch.Generator().manual_seed(i) for i in range(3)] for _ in range(2)]
    once = search.optimize(score, init, bounds, generators[0])
    larger = Repeated(search, 10).optimize(score, init, bounds, generators[1])
    assert torch.equal(larger.cost, score(larger.actions[:, None])[:, 0])
    assert (larger.cost <= once.cost).all()
    assert larger.cost.mean() < once.cost.mean() / 2
    assert (larger.history.diff(dim=0) <= 0).all()
    assert (larger.evaluations > 10 * 4 - 1).all()


def test_rank_correlations_ignore_scale_and_know_constants() -> None:
    values = torch.tensor([0.1, 5.0, 2.0, 3.0])
    assert spearman(values, values.exp()) == pytest.approx(1)
    assert spearman(values, -values) == pytest.approx(-1)
    assert spearman(values, torch.ones(4)) is None


def test_things_are_lost_or_merged() -> None:
    true = torch.zeros(1, 4, 1, 8, 8)
    true[:, 1, 0, :2], true[:, 2, 0, 2:4], true[:, 3, 0, 4:6], true[:, 0, 0, 6:] = 1, 1, 1, 1
    seen = overlaps(true, true)
    assert sight_of([seen]).model_dump() == {"things": 3, "lost": 0.0, "merged": 0.0}
    assert matched(seen).tolist() == [[0, 1, 2, 3]]
    masks = true.clone()
    masks[:, 1] += masks[:, 2]
    masks[:, 0] += masks[:, 3]
    masks[:, 2:] = 0
    found = sight_of([overlaps(masks, true)])
    assert (found.lost, found.merged) == (pytest.approx(1 / 3), pytest.approx(2 / 3))


def test_a_task_without_snapshots_says_what_is_left(tmp_path: Path) -> None:
    found = toy.toy_diagnosis(toy.Acting(0.0, 0.0), tmp_path, "episodes=2", physics=False)
    evidence = found.evidence
    assert found.verdict == "model"
    assert [row.label for row in evidence.rows] == ["as it is", "ten times the search"]
    assert "cannot be diagnosed with true dynamics" in evidence.left_out[0]
    assert "what is left is a larger search" in evidence.left_out[0]
    assert evidence.imagination is not None
    assert not evidence.stages


def test_episodes_of_a_search_that_gave_up_are_not_those_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it gives up at once or after some episodes, the other search plays all of them."""
    original, found = CEM.optimize, []
    for last in (0, 9):
        left = [last]

        def optimize(self: CEM, score: Any, *args: Any, left: list[int] = left, **more: Any) -> Any:
            own = self.samples == 16 and isinstance(score.simulator, TrueDynamics)
            if own and not left[0]:
                raise ArmillaryError("no more")
            left[0] -= own
            return original(self, score, *args, **more)

        monkeypatch.setattr(CEM, "optimize", optimize)
        other = "instead={planner:cem,planner.samples:8,planner.elites:2,planner.iterations:1}"
        told = toy.toy_diagnosis(toy.Model(), tmp_path / str(last), "batch=1", other)
        (row,) = [one for one in told.evidence.rows if one.label == "true dynamics"]
        assert row.evaluations == pytest.approx(8, abs=3)
        found.append((row.successes, row.steps_to_success, row.evaluations))
    assert found[0] == found[1]
