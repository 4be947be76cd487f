"""Stages of training that are too small for two threads."""

from __future__ import annotations

import logging
from contextlib import suppress

import torch

from armillary.threads import Sizes, Threads
from armillary.world_models.model import WorldModel
from armillary.world_models.training import randomness
from armillary.world_models.training.schedule import Stage
from armillary.world_models.training.steps.batches import Batch

log = logging.getLogger(__name__)


def suit(threads: Threads, model: WorldModel, batch: Batch, stage: Stage, parts: int) -> None:
    """One thread until ``threads.whole`` is called, where a stage is too small for two.

    It is where no result that its loss computes is large enough to be shared. This is counted on
    one clip, so it is the same on every machine and after every resumption.

    Args:
        threads: of the run.
        model: in training.
        batch: one of the stage's.
        stage: that starts.
        parts: in how many parts the batch is worked through.
    """
    if not threads.follows or model.action_mean.device.type != "cpu":
        return
    clips = stage.batch_size // parts
    first = batch.parts(stage.batch_size)[0]
    if threads.suit(clips * largest_result(model, first, stage.objective)):
        log.info("one thread: a step of %s is too small for two", stage.objective)


def largest_result(model: WorldModel, batch: Batch, objective: str) -> int:
    """Values of the largest tensor that the loss of a batch computes.

    Changes neither the model nor the random numbers of training.
    """
    training, sizes = model.training, Sizes()
    model.eval()
    isolated = randomness.isolated(0, model.action_mean.device)
    # What is not finite is told by the step itself.
    with suppress(FloatingPointError), isolated, torch.no_grad(), sizes:
        batch.losses(model, objective, 0)
    model.train(training)
    return sizes.largest
