"""Gathers what a model's searches, imagination and slots tell, from a few episodes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch

from armillary.agent.episodes import Progress, run_episodes
from armillary.errors import ArmillaryError
from armillary.experiments.command.config import build
from armillary.experiments.diagnosis.arms import Exchanges
from armillary.experiments.diagnosis.costs import Truth, stages_of, surroundings_of
from armillary.experiments.diagnosis.imagination import beliefs_in, imagination_of
from armillary.experiments.diagnosis.looking import Looking, Seen
from armillary.experiments.diagnosis.sight import overlaps, sight_of
from armillary.experiments.diagnosis.true_dynamics import TrueDynamics
from armillary.experiments.evaluation.diagnosis.evidence import Sight
from armillary.experiments.planning.entries import Entry
from armillary.experiments.planning.goals import reader_of
from armillary.world_models.oracle import OracleSimulator, PhysicsState
from armillary.world_models.simulator import Simulator
from armillary.world_models.state import LatentState

Believed = Sequence[tuple[Seen, Sequence[LatentState]]]


def gathered(
    exchanges: Exchanges, row: Entry, seeds: Sequence[int], on_end: Progress
) -> dict[str, Any]:
    """Plays some episodes once more and looks at them.

    Args:
        exchanges: of the entry.
        row: of it as it is.
        seeds: of the episodes.
        on_end: told as they end.

    Returns:
        Fields of ``Evidence``: ``imagination``, ``stages``, ``surroundings``, ``sight`` and
        ``left_out``.
    """
    config, model, oracle = exchanges.config, exchanges.model, exchanges.oracle
    looking = Looking(exchanges.agent(model))
    run_episodes(row.make_env, looking, seeds, config.batch, on_end)
    episodes = beliefs_in(model, looking.batches)
    found: dict[str, Any] = {
        "imagination": imagination_of(model, episodes, config.horizon, config.replan_interval),
        "stages": [],
        "surroundings": [],
        "sight": None,
        "left_out": [],
    }
    if oracle is None or exchanges.physics is None:
        return found
    found["sight"] = _sight(model, oracle, episodes)
    searches = []
    for other in (False, True):
        with suppress(ArmillaryError):
            searches.append(exchanges.agent(oracle, true_cost=True, other=other).optimizer)
    truth = Truth(
        oracle=oracle,
        objective=build(exchanges.true_objective),
        reader=reader_of(config.goal),
        shown=TrueDynamics(model, oracle, exchanges.physics),
        searches=searches,
    )
    for field, told, gather in (
        ("stages", "rank correlations", stages_of),
        ("surroundings", "surroundings of the right actions", surroundings_of),
    ):
        try:
            found[field] = gather(looking.batches, truth)
        except ArmillaryError as error:
            found["left_out"].append(f"{told}: {error}")
    return found


def _sight(model: Simulator, oracle: OracleSimulator, episodes: Believed) -> Sight | None:
    """What the slots show at every moment; None where there is only one."""
    shares = []
    for seen, beliefs in episodes:
        scenes = np.stack([one["state"] for one in seen.observations])
        true = oracle.masks(PhysicsState(torch.from_numpy(scenes).double()))
        masks = torch.cat([model.view(belief).masks.cpu() for belief in beliefs])
        if masks.shape[1] == 1:
            return None
        shares.append(overlaps(masks, true))
    return sight_of(shares)
