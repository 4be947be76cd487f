"""The verb ``train-proposals``: what proposes actions to planners, from a file of episodes."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import Tensor

from armillary.experiments.command.console import counted, counting
from armillary.experiments.command.errors import RunError, UsageError
from armillary.experiments.command.stored import write
from armillary.experiments.evaluation.model_data import data_of, describe, episodes_for
from armillary.experiments.evaluation.results import RESULTS, ProposalTraining
from armillary.experiments.running.provenance import made_with
from armillary.planners.proposals.learning import Settings, drawn, errors, learn
from armillary.planners.proposals.network import InverseDynamics
from armillary.planners.proposals.recorded import Recorded
from armillary.planners.proposals.stored import FOLDER, Stored, save
from armillary.world_models.checkpoints.checkpoint import load_model, read_info
from armillary.world_models.data import Split
from armillary.world_models.goals.roles import FindRoles
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.model import WorldModel
from armillary.world_models.training.encoding import encode

log = logging.getLogger(__name__)

_LOOK_EVERY = 500
"""Steps between two looks at the loss."""
_PARKED = 1.0
"""How far from the middle of the image, in image widths, nothing is seen any more."""
_PAIRS = 4000
"""Pairs of moments that the errors in the results are of."""


def run(config: DictConfig) -> Path:
    """Writes ``OUTPUT/proposals`` and returns it.

    Raises:
        CheckpointError: there is no usable checkpoint.
        DataError: the file of episodes cannot be used.
        ArmillaryError: a setting is wrong.
        UsageError: the data do not suit the model, or the model takes no actions.
        RunError: the model's slots, or the loss, became NaN or infinite.
    """
    checkpoint, output = str(config.checkpoint), Path(config.output).expanduser()
    settings = Settings(steps=config.steps, batch=config.batch, seed=config.seed)
    roles = FindRoles(effector=str(config.effector))
    simulator = LatentSimulator(load_model(checkpoint))
    if simulator.action_size == 0:
        raise UsageError(f"{checkpoint} takes no actions, so that there are none to propose")
    stride = read_info(checkpoint).stride
    episodes = episodes_for(simulator.model, checkpoint, config.data)
    longest = (episodes.splits["train"].length - 1) // stride
    if config.horizon > longest:
        raise UsageError(
            f"horizon={config.horizon} is more than the {longest} steps of an episode of "
            f"{config.data.path}"
        )
    held_out, held_out_shown = recorded_of(simulator, episodes.split("val"), stride, roles)
    recorded, shown = recorded_of(simulator, episodes.split("train"), stride, roles)
    progress, task = counting("inverse dynamics", config.steps)

    def told(step: int, loss: Tensor) -> None:
        progress.advance(task)
        if step % _LOOK_EVERY == _LOOK_EVERY - 1:
            if not loss.isfinite():
                raise RunError(f"the loss of step {step + 1} is {loss.item()}")
            log.info("step %d of %d: loss %.3f", step + 1, config.steps, loss)

    with progress:
        network = learn(recorded, config.horizon, settings, told, shown)
    kept = recorded.map(lambda tensor: tensor[: config.episodes])
    data = {name: value for name, value in describe(episodes).items() if name != "path"}
    about = {
        "checkpoint": checkpoint,
        "data": data,
        "settings": vars(settings) | {"effector": config.effector},
    }
    path = save(Stored(output / FOLDER, simulator.identity, network, kept, about))
    found = ProposalTraining(
        horizon=config.horizon,
        episodes=len(kept.actions),
        errors={
            f"{name}_{what}": value
            for name, of, seen in (("train", recorded, shown), ("val", held_out, held_out_shown))
            for what, value in measured(network, of, seen).items()
        },
        data=data_of(episodes),
        **made_with(config),
    )
    write(output / RESULTS, found)
    log.info("squared errors of held-out actions, half of their range being 1: %s", found.errors)
    log.info("%s and the network in %s", counted(len(kept.actions), "episode"), path)
    return path


def recorded_of(
    simulator: LatentSimulator, split: Split, stride: int, find: FindRoles
) -> tuple[Recorded, Tensor]:
    """A split as its slots, what they are in the first frame, and its actions.

    Beside it (N, T, K) float32, 1 where a slot lies in the image: where models hold positions, what
    shows nothing is parked outside of it.

    Raises:
        RunError: slots became NaN or infinite.
    """
    log.info("%s: %s are encoded", split.name, counted(len(split), "episode"))
    batch = encode(simulator.model, split, lambda: None, stride)
    with torch.no_grad():
        flat, shape = batch.states.flatten(2), (len(batch.actions), -1)
        slots = simulator.model.slots(flat).unflatten(0, shape)
    if not slots.isfinite().all():
        raise RunError(f"the model sees NaN in split {split.name!r}; take an earlier checkpoint")
    low, high = batch.actions.amin((0, 1)), batch.actions.amax((0, 1))
    roles = simulator.roles(
        batch.states.map(lambda tensor: tensor[:, 0]), replace(find, low=low, high=high)
    )
    shown = torch.ones_like(slots[..., 0])
    if type(simulator.model).positions is not WorldModel.positions:  # else centres of masks
        places = simulator.view(flat).positions.unflatten(0, shape)
        shown = ((places - 0.5).abs().amax(-1) < _PARKED).float()
    return Recorded(slots, batch.actions, roles.objects, roles.effector), shown


def measured(network: InverseDynamics, recorded: Recorded, shown: Tensor) -> dict[str, float]:
    """Squared errors of the best and the most trusted guess, and of doing nothing in particular."""
    generator = torch.Generator(recorded.slots.device).manual_seed(0)
    pairs = drawn(recorded, network.horizon, _PAIRS, generator, shown)
    with torch.no_grad():
        error, trust = errors(network, pairs)
    trusted = error.gather(1, trust.argmax(1, keepdim=True))
    return {"best": float(error.amin(1).mean()), "trusted": float(trusted.mean())}
