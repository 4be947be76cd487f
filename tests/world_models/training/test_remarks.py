"""What is said of a run that was cut short, or that ends worse than copying."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from armillary.world_models.training.remarks import remarks
from armillary.world_models.training.run import Outcome
from tests.world_models.training.runs import STAGED, config

GOOD = {"open_loop_psnr": 25.0, "copy_psnr": 17.0, "context_psnr": 28.0}
ENDED = Outcome(330, 60.0, GOOD, 25.0, False, Path("last"), {0: 30, 1: 300})
BOTH = config(
    tuple(replace(stage, steps=n) for stage, n in zip(STAGED, (30, 300), strict=True)),
    max_steps=None,
    max_minutes=11.0,
)


def test_nothing_is_said_of_a_good_run() -> None:
    assert remarks(BOTH, ENDED) == []
    assert remarks(config(STAGED), ENDED) == []


def test_stages_that_did_not_get_their_steps_are_named() -> None:
    (told,) = remarks(BOTH, replace(ENDED, stage_steps={0: 12, 1: 299}))
    assert "cut short by max_minutes=11: stage 1 (discover) did 12 of 30 steps." in told
    (told,) = remarks(replace(BOTH, max_steps=2), replace(ENDED, step=1, stage_steps={0: 1}))
    assert "cut short by max_minutes=11: " in told
    (told,) = remarks(replace(BOTH, max_steps=2), replace(ENDED, step=2, stage_steps={0: 2}))
    assert "cut short by max_steps=2: " in told
    assert "stage 2 (dynamics) did 0 of 300 steps" in told


def test_a_run_whose_stages_are_shares_is_told_of_whole() -> None:
    shares = config(STAGED, max_steps=1000, max_minutes=11.0)
    (told,) = remarks(shares, replace(ENDED, step=99, stage_steps={0: 4, 1: 95}))
    assert "cut short by max_minutes=11: it did 99 of 1000 steps." in told
    assert remarks(shares, replace(ENDED, step=1000, stage_steps={0: 300, 1: 700})) == []


def test_nothing_is_said_of_steps_where_none_were_promised_or_counted() -> None:
    forever = config(STAGED, max_steps=None, max_minutes=11.0)
    assert remarks(forever, replace(ENDED, stage_steps={0: 1})) == []
    assert remarks(BOTH, replace(ENDED, stage_steps={})) == []
    assert remarks(BOTH, replace(ENDED, interrupted=True, stage_steps={0: 1})) == []


def test_a_model_worse_than_copying_is_told_with_what_to_change() -> None:
    bad = replace(ENDED, metrics={**GOOD, "open_loop_psnr": 14.24}, best=14.3)
    (told,) = remarks(BOTH, bad)
    assert "worse than copying the last frame: 14.3 against 17.0 dB" in told
    assert "give the stages that train the dynamics more steps" in told
    blind = replace(bad, metrics={**bad.metrics, "context_psnr": 16.0})
    assert "give the first stage more steps" in remarks(BOTH, blind)[0]


def test_it_is_the_best_checkpoint_that_counts_where_that_is_the_one_kept() -> None:
    bad = replace(ENDED, metrics={**GOOD, "open_loop_psnr": 14.2}, best=20.0)
    assert remarks(BOTH, bad) == []
    by_masks = replace(BOTH, best_metric="context_ari")
    assert len(remarks(by_masks, replace(bad, best=0.9))) == 1
