"""The rules that make a verdict of the evidence."""

from __future__ import annotations

import pytest

from armillary.agent.statistics import paired_interval, wilson_interval
from armillary.experiments.evaluation.diagnosis.evidence import (
    AS_IS,
    BUDGET,
    COST,
    DYNAMICS,
    OTHER,
    TRUTH,
    Evidence,
    Imagination,
    Sight,
    Stage,
)
from armillary.experiments.evaluation.diagnosis.verdict import judged, verdict_of
from armillary.experiments.evaluation.success import Comparison, Row

EPISODES = 20


def evidence(
    successes: dict[str, int],
    ranks: tuple[float | None, float | None] = (0.9, 0.9),
    lost: float = 0.0,
    imagined: tuple[int, float] = (5, 9.0),
) -> Evidence:
    rows = [
        Row(
            task="toy",
            simulator="model",
            name=name,
            planner="cem",
            episodes=EPISODES,
            successes=count,
            success_rate=count / EPISODES,
            ci95=wilson_interval(count, EPISODES),
            steps_to_success=None,
            plan_seconds=None,
            seed=0,
        )
        for name, count in successes.items()
    ]
    comparisons = [
        Comparison(
            a=row.name,
            b=AS_IS,
            difference=(row.successes - rows[0].successes) / EPISODES,
            ci95=paired_interval(
                max(row.successes - rows[0].successes, 0),
                max(rows[0].successes - row.successes, 0),
                EPISODES,
            ),
            episodes=EPISODES,
        )
        for row in rows[1:]
    ]
    return Evidence(
        reasons=[],
        certain=False,
        rows=rows,
        comparisons=comparisons,
        stages=[
            Stage(
                stage=0, predicted_true=0.5, predicted_shown=ranks[0], shown_true=ranks[1], plans=1
            )
        ],
        sight=Sight(things=10, lost=lost, merged=0.0),
        imagination=Imagination(
            imagined=[1.0],
            copied=[2.0],
            shuffled=[9.0],
            moments=[1],
            horizon=imagined[0],
            shuffled_ratio=imagined[1],
        ),
    )


def rows(as_is: int, dynamics: int, cost: int, budget: int, truth: int) -> dict[str, int]:
    return {AS_IS: as_is, DYNAMICS: dynamics, COST: cost, BUDGET: budget, TRUTH: truth}


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (evidence(rows(18, 20, 20, 20, 20)), "none"),
        (evidence(rows(5, 19, 6, 4, 20)), "model"),
        (evidence(rows(5, 6, 18, 4, 20)), "cost"),
        (evidence(rows(5, 6, 18, 4, 20), lost=0.5), "model"),
        (evidence(rows(5, 6, 7, 18, 8)), "search"),
        (evidence(rows(5, 15, 16, 4, 20), ranks=(0.2, 0.9)), "model"),
        (evidence(rows(5, 15, 14, 4, 20), ranks=(0.9, 0.2)), "cost"),
        (evidence(rows(5, 5, 5, 5, 20), ranks=(0.9, 0.2)), "cost"),
        (evidence(rows(5, 5, 5, 5, 20), lost=0.5), "model"),
        (evidence(rows(5, 5, 5, 5, 6)), "search"),
        (evidence(rows(17, 17, 18, 17, 18)), "none"),
        (evidence({AS_IS: 5, BUDGET: 17}), "search"),
        (evidence({AS_IS: 5, BUDGET: 6}), "none"),
        (evidence({AS_IS: 5, BUDGET: 6}, imagined=(0, 9.0)), "model"),
        (evidence({AS_IS: 5, BUDGET: 6}, imagined=(5, 1.0)), "model"),
        (evidence({AS_IS: 5, OTHER: 17}), "search"),
        (evidence({AS_IS: 5, OTHER: 6, COST: 7, DYNAMICS: 17}), "model"),
        (evidence(rows(5, 15, 17, 4, 20), ranks=(None, None)), "cost"),
        (evidence(rows(5, 17, 15, 4, 20), ranks=(None, None)), "model"),
        (evidence(rows(5, 17, 15, 4, 20), ranks=(0.9, None)), "model"),
    ],
)
def test_a_verdict(found: Evidence, verdict: str) -> None:
    assert verdict_of(found) == verdict
    assert verdict_of(judged(found)) == verdict
    assert judged(found).reasons[0]


def test_chance_is_told() -> None:
    assert judged(evidence(rows(5, 19, 6, 4, 20))).certain
    assert not judged(evidence(rows(5, 9, 6, 4, 8))).certain
    assert judged(evidence(rows(0, 0, 0, 0, 0))).certain
    assert not judged(evidence(rows(14, 14, 14, 14, 16))).certain, "it may be 90 %"
    assert not judged(evidence(rows(0, 3, 0, 0, 0))).certain, "true dynamics may help by 20 points"
    assert judged(evidence(rows(0, 15, 15, 0, 20))).certain
    unknown = judged(evidence(rows(0, 15, 15, 0, 20), ranks=(None, None)))
    assert not unknown.certain
    assert "No rank correlations are known" in unknown.reasons[0]


def test_a_few_successes_do_not_rule_chance_out() -> None:
    assert not judged(evidence(rows(20, 20, 20, 20, 20))).certain, "84 % are within the interval"
    many = evidence(rows(20, 20, 20, 20, 20))
    sure = many.rows[0].model_copy(update={"ci95": (0.91, 1.0)})
    assert judged(many.model_copy(update={"rows": [sure, *many.rows[1:]]})).certain


def test_what_could_not_be_played_is_named() -> None:
    told = judged(evidence({AS_IS: 5, BUDGET: 6, DYNAMICS: 6})).reasons[0]
    assert "Ten times the search and true dynamics do not help" in told
    assert "true cost and all true could not be played" in told
