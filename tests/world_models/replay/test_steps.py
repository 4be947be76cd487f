"""Steps that change things: each call is done once, whether as it is or replayed."""

from __future__ import annotations

import logging

import torch

from armillary.world_models.replay.steps import RepeatedStep
from tests.world_models.replay.rerun import RerunSteps


def counting(capture):
    total = torch.zeros(())

    def add(given):
        total.add_(given.sum())
        return (total.clone(),)

    return total, RepeatedStep("adding", add, capture)


def test_every_call_counts_once_and_the_third_is_replayed():
    capture = RerunSteps()
    total, step = counting(capture)
    told = [step([torch.full((2,), float(i))])[0].item() for i in range(1, 6)]
    assert told == [2.0, 6.0, 12.0, 20.0, 30.0]
    assert total.item() == 30.0
    assert (capture.run_as_is, capture.recorded, capture.replayed) == (2, 1, 3)
    assert step.replayed


def test_other_shapes_run_as_they_are_between_replays():
    capture = RerunSteps()
    total, step = counting(capture)
    for size in (2, 2, 2, 3, 2, 4, 2):
        step([torch.ones(size)])
    assert total.item() == 17.0
    assert (capture.run_as_is, capture.recorded, capture.replayed) == (4, 1, 3)


def test_what_is_refused_is_told_once_and_still_counts(caplog):
    total, step = counting(RerunSteps(refused=True))
    with caplog.at_level(logging.WARNING):
        for _ in range(6):
            step([torch.ones(2)])
    assert total.item() == 12.0
    assert not step.replayed
    (message,) = caplog.messages
    assert message == (
        "adding is not recorded and runs as it is: operation not permitted when stream is capturing"
    )
