"""The verb ``selftest``: do episodes of a checkpoint's card come out the same on this machine?"""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from armillary.agent.episodes import run_batches
from armillary.experiments.command.config import compose
from armillary.experiments.command.console import counted, counting, results
from armillary.experiments.command.errors import RunError, UsageError
from armillary.experiments.command.stored import write
from armillary.experiments.command.verbs import written
from armillary.experiments.evaluation.card import Card, cards_of
from armillary.experiments.evaluation.results import RESULTS
from armillary.experiments.evaluation.success import Again, Played, Selftest
from armillary.experiments.planning.entries import entry_of
from armillary.experiments.planning.kept import outcomes
from armillary.experiments.running.provenance import made_with


def run(config: DictConfig) -> Selftest:
    """Plays them, writes ``results.json`` and says what differs.

    An episode comes out the same where it succeeds as the card says, or fails as it says. Steps may
    differ between machines, whose last bits do; they are told.

    Raises:
        CheckpointError: there is no such checkpoint, or it is damaged.
        UsageError: it has no card, or one of other weights.
        RunError: an episode came out differently.
    """
    name = str(config.checkpoint)
    cards = cards_of(name)
    if not cards:
        raise UsageError(
            f"{name} has no card; armillary benchmark 'simulators=[{name}]' card=true writes one"
        )
    found = [one for card in cards for one in _again(name, card, config)]
    told = Selftest(checkpoint=name, same=all(one.same for one in found), episodes=found)
    write(Path(config.output).expanduser() / RESULTS, told.model_copy(update=made_with(config)))
    differ = [one for one in found if not one.same]
    for one in found:
        if not one.same or one.here.steps != one.there.steps:
            results.print(f"{one.task}, {one.planner}, seed {one.there.seed}: {_told(one)}")
    if differ:
        raise RunError(
            f"{len(differ)} of {counted(len(found), 'episode')} came out differently here, the "
            f"first one: seed {differ[0].there.seed}, {_told(differ[0])}"
        )
    results.print(f"{name}: {counted(len(found), 'episode')} came out as its card says")
    return told


def _again(name: str, card: Card, config: DictConfig) -> list[Again]:
    """Some episodes of a row, spread evenly over it."""
    count = min(config.episodes, len(card.episodes))
    chosen = [card.episodes[index * len(card.episodes) // count] for index in range(count)]
    try:
        row = compose("benchmark", [*card.words, f"simulators=[{written(name)}]", "workers=0"])
        entry = entry_of(name, row)
    except UsageError as error:
        missing = [plugin for plugin in card.plugins if plugin not in config.plugins]
        if not missing:
            raise
        raise UsageError(
            f"{error}. The card was measured with plug-ins that are not loaded here, and none is "
            f"loaded because a card names it: if you trust them, plugins={written(missing)}"
        ) from error
    progress, task = counting(f"{card.row.task}, {card.row.planner}", count)
    seeds = [episode.seed for episode in chosen]
    with entry.resources, progress:
        batches = run_batches(
            entry.make_env,
            entry.agent,
            seeds,
            config.batch,
            lambda ended: progress.advance(task, len(ended)),
            row.play_on,
        )
        played = [one for batch in batches for one in outcomes(batch, entry.stride)]
    return [
        Again(
            task=card.row.task,
            planner=card.row.planner,
            there=there,
            here=Played(seed=here.seed, success=here.success, steps=here.steps),
        )
        for there, here in zip(chosen, played, strict=True)
    ]


def _told(one: Again) -> str:
    there, here = one.there, one.here
    return f"{_outcome(there)} by the card, {_outcome(here)} here"


def _outcome(episode: Played) -> str:
    return f"{'success' if episode.success else 'no success'} in {counted(episode.steps, 'step')}"
