"""Cards of checkpoints: what was measured, and the words that make a selftest."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from armillary.experiments.command.stored import read
from armillary.experiments.evaluation.card import Card, words_of
from tests.reliability.fuzz.mutate import values
from tests.reliability.fuzz.reader import Files, Reader

_NAME = "card.json"
_ROW = {
    **{"task": "push_blocks", "simulator": "runs/x", "planner": "cem", "seed": 0},
    **{"episodes": 2, "successes": 1, "success_rate": 0.5, "ci95": [0.09, 0.91]},
    **{"steps_to_success": 7, "plan_seconds": 0.1, "evaluations": 1501.0},
}
_CARD = {
    "schema_version": 1,
    "weights": "0" * 64,
    "words": ["task=push_blocks", "planner=cem", "planner.samples=10", "planner.std=0.7"],
    "row": _ROW,
    "episodes": [
        {"seed": 0, "success": True, "steps": 7},
        {"seed": 1, "success": False, "steps": 20},
    ],
    "commit": "0" * 40,
    "versions": {"torch": "2.13.0"},
}


def _made() -> list[Files]:
    return [{_NAME: json.dumps(_CARD).encode()}]


def _damaged(random: Random, files: Files) -> Files:
    return {_NAME: values.json_damaged(random, files[_NAME])}


def _load(folder: Path) -> object:
    return words_of(read(folder / _NAME, Card).words)


READERS = (Reader("card", _made, _damaged, _load),)
