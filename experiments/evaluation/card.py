"""A checkpoint's own card: what was measured of it, kept beside its weights to be tried again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from pydantic import Field

from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.stored import Stored, read, write
from armillary.experiments.evaluation.success import Played, Row
from armillary.world_models.checkpoints.checkpoint import read_info
from armillary.world_models.checkpoints.locate import WEIGHTS_FILE, find_checkpoint

FOLDER = "card"
_OF_THE_RUN = {
    "batch",
    "card",
    "deterministic",
    "films",
    "output",
    "plugins",
    "simulators",
    "suite",
    "workers",
}
"""Words that no outcome depends on."""
_GROUPS = ("task", "planner", "objective", "goal", "simulator")
_KEYS = (*_GROUPS, "episodes", "seed", "horizon", "replan_interval", "num_slots", "play_on")
_USUAL = ("task", "planner", "episodes", "seed", "play_on")
_SETTING = re.compile(rf"({'|'.join(_GROUPS)})(\.[a-zA-Z]\w*)+")
_CHOICE = re.compile(r"[\w/-]+")
_NUMBER = r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?"
_PLAIN = re.compile(rf"[A-Za-z]\w*(:{_NUMBER})?|{_NUMBER}")
"""A plain word (``cvar:0.2`` is one) or a number: nothing that names a module, file or class."""


class Card(Stored):
    """A row of the table.

    Attributes:
        weights: digest of those that were measured.
        words: of ``benchmark``, that made the row.
        row: of the benchmark.
        episodes: of it, in the order of their seeds.
        plugins: that were loaded beside it, for whoever reads this: nobody loads what a card names.
    """

    weights: str
    words: list[str]
    row: Row
    episodes: list[Played]
    plugins: list[str] = Field(default_factory=list)


def cards_of(checkpoint: str | Path) -> list[Card]:
    """What was measured of a checkpoint, as far as its weights are still the same.

    Args:
        checkpoint: anything that ``find_checkpoint`` takes.

    Raises:
        CheckpointError: there is none, or it is damaged.
        UsageError: a card is damaged, or of other weights.
    """
    info = read_info(checkpoint)
    paths = sorted((find_checkpoint(checkpoint) / FOLDER).glob("*.json"))
    cards = [read(path, Card) for path in paths]
    for path, card in zip(paths, cards, strict=True):
        if card.weights != info.digests[WEIGHTS_FILE]:
            raise UsageError(
                f"{path} was measured with other weights than {checkpoint} has; "
                f"armillary benchmark 'simulators=[{checkpoint}]' card=true measures it anew"
            )
        solved = sum(one.success for one in card.episodes)
        told = (card.row.episodes, card.row.successes)
        if not card.episodes or (len(card.episodes), solved) != told:
            raise UsageError(
                f"{path} is damaged: its row says {told[1]} of {told[0]} episodes, it lists "
                f"{solved} of {len(card.episodes)}"
            )
        words_of(card.words)
    return cards


def keep(checkpoint: str, card: Card) -> Path:
    """Writes a card into the folder of its checkpoint, in place of one of the same settings."""
    rest = sorted(word for word in card.words if word.partition("=")[0] not in _USUAL)
    parts = [card.row.task, str(card.row.planner)]
    parts += [sha256(" ".join(rest).encode()).hexdigest()[:8]] if rest else []
    folder = find_checkpoint(checkpoint) / FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / f"{'-'.join(parts)}.json"
    write(path, card)
    return path


def words_of(words: Sequence[str]) -> list[str]:
    """Those words of a command line that outcomes depend on, for a card.

    A card travels with a checkpoint, and loading a checkpoint runs no code: so words may choose by
    name and set numbers, and may not name files, modules or classes.

    Raises:
        UsageError: a word does more.
    """
    kept = []
    for word in words:
        key, _, value = word.partition("=")
        if key in _OF_THE_RUN:
            continue
        known = key in _KEYS and _CHOICE.fullmatch(value)
        values = value.removeprefix("[").removesuffix("]").split(",")
        plain = all(_PLAIN.fullmatch(one.strip()) for one in values)
        if not known and not (_SETTING.fullmatch(key) and plain):
            raise UsageError(
                f"a card holds choices by name and plain settings of {', '.join(_GROUPS)}, which "
                f"everybody has; {word!r} is none"
            )
        kept.append(word)
    return kept
