"""All rows by group, and the rows that a command asks for, measured one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from armillary.experiments.speed.cases import Case, Setting
from armillary.experiments.speed.kinds import (
    acting,
    evaluating,
    planning,
    reading,
    scaling,
    searching,
    training,
)

GROUPS: Mapping[str, Sequence[Callable[[Setting], Iterator[Case]]]] = {
    "planning": (acting.cases, planning.cases),
    "search": (searching.cases,),
    "training": (training.cases,),
    "data": (reading.cases,),
    "evaluation": (evaluating.cases,),
    "scaling": (scaling.cases,),
}


def cases_of(setting: Setting, groups: Sequence[str]) -> list[Case]:
    """The cases of some groups, in their order."""
    return [case for group in groups for made in GROUPS[group] for case in made(setting)]
