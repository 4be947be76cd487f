"""What runs must share to be compared, from their resolved configurations and their data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from armillary.errors import ArmillaryError
from armillary.experiments.command.config import flatten
from armillary.experiments.command.console import counted, joined
from armillary.experiments.evaluation.results import Data, Evaluation, Training
from armillary.experiments.evaluation.success import Row
from armillary.experiments.pages.html import Section
from armillary.experiments.pages.runs import Run
from armillary.world_models.data import EpisodeFile
from armillary.world_models.data.identity import CONTENT_ID

_SHORT = 8
"""Characters of a digest that are shown where data of one name differ."""
_BUDGET = ("samples", "iterations")
_WITHOUT_MEANING = ("simulator.device", "simulator.compile", "simulator.budget")
"""Settings of what plans that change no number, or its last digits alone."""
_OF_VALIDATION = ("validation_clips", "validation_horizon")

Member = TypeVar("Member")


@dataclass(frozen=True)
class Conditions:
    """What two runs must share: equal where the facts are, whatever files of data are called.

    Attributes:
        facts: names and values.
        text: the same as a sentence without its end.
        data: the name of the file of data, if any, for its fact.
    """

    facts: tuple[tuple[str, str], ...]
    text: str = field(compare=False)
    data: str = field(default="", compare=False)

    def told(self, name: str) -> str:
        """A fact as people read it."""
        value = dict(self.facts).get(name, "")
        return f"{self.data} {value}" if name == "data" and value.startswith("[") else value


@dataclass(frozen=True)
class Group(Generic[Member]):
    """Runs under the same conditions.

    Attributes:
        conditions: that they share.
        members: the runs, or what belongs to them.
        differs: where these conditions differ from those of the other groups.
    """

    conditions: Conditions
    members: Sequence[Member]
    differs: str

    def title(self, what: str) -> str:
        """The heading of a group's own table."""
        return f"{what}: {self.differs}" if self.differs else what


def alone(title: str, why: str, lone: Sequence[tuple[str, Group[Any]]]) -> list[Section]:
    """A section that names the runs with conditions of their own, and where these differ."""
    if not lone:
        return []
    text = f"Not compared, because {why}: {', '.join(name for name, _ in lone)}."
    differs = [f"{name}: {group.differs}." for name, group in lone if group.differs]
    return [Section(title, "alone.html.j2", {"text": text, "differs": differs})]


def grouped(members: Iterable[tuple[Conditions, Member]]) -> list[Group[Member]]:
    """Members by their conditions, in the order of the first ones."""
    held: dict[Conditions, list[Member]] = {}
    for conditions, member in members:
        held.setdefault(conditions, []).append(member)
    values: dict[str, set[str]] = {}
    tables = {conditions: dict(conditions.facts) for conditions in held}
    for name in {name: 0 for table in tables.values() for name in table}:
        values[name] = {table.get(name, "") for table in tables.values()}
    differing = [name for name, different in values.items() if len(different) > 1]
    return [
        Group(
            conditions,
            found,
            ", ".join(f"{name} {conditions.told(name) or 'unknown'}" for name in differing),
        )
        for conditions, found in held.items()
    ]


def of_evaluation(found: Evaluation) -> Conditions:
    """The videos that were imagined, how far and how often, and what measures them."""
    data, file = found.data, Path(found.data.path).name
    facts = {
        "data": _marked(data, found.identity.get("bytes of data")),
        **_reading(flatten(found.config)),
        "split": data.split or "all",
        "episodes": str(data.episodes or ""),
        "image size": str(data.image_size or ""),
        "videos": str(found.videos),
        "rollouts": str(found.rollouts),
        "context": str(found.context),
        "horizon": str(found.horizon),
        "stride": str(found.identity.get("stride", 1)),
        "LPIPS by": str(found.identity.get("lpips") or "")[:_SHORT],
    }
    text = (
        f"{counted(found.videos, 'video')} of {file} ({facts['split']}), "
        f"{counted(found.rollouts, 'rollout')} each, {counted(found.context, 'context frame')} "
        f"and then {counted(found.horizon, 'imagined one')}"
    )
    return Conditions(tuple(facts.items()), text, file)


def _many(number: str) -> str:
    """So many steps, or what stands in the place of their number."""
    return counted(int(number), "step") if re.fullmatch("[0-9]{1,9}", number) else f"{number} steps"


def of_planning(run: Run, row: Row) -> Conditions:
    """The problems that were posed, and everything about how plans are found but the model."""
    settings = run.settings or flatten(run.results.config if run.results else {})
    environment = _below(settings, "task.environment.")
    posed = {_words(name): value for name, value in environment.items() if name != "id"}
    facts = {"task": row.task, **posed}
    if "task.max_steps" in settings:
        facts["steps"] = str(settings["task.max_steps"])
    facts |= {"problems": str(row.episodes), "seed": str(row.seed)}
    told = ", ".join(f"{name} {value}" for name, value in posed.items())
    steps = f" of at most {_many(facts['steps'])}" if "steps" in facts else ""
    seeds = f"with seeds from {row.seed}" if row.episodes > 1 else f"with seed {row.seed}"
    text = f"Task {row.task}{f' ({told})' if told else ''}, "
    text += f"{counted(row.episodes, 'problem')}{steps} {seeds}"
    for name in ("horizon", "replan_interval"):
        if name in settings:
            facts[_words(name)] = str(settings[name])
    if "horizon" in settings:
        text += f"; plans look {_many(str(settings['horizon']))} ahead"
    search = _below(settings, "planner.")
    facts |= {f"search {name}".removesuffix(" _target_"): v for name, v in search.items()}
    spent = {name: search[name] for name in _BUDGET if name in search}
    spent = spent or {name: value for name, value in search.items() if name != "_target_"}
    budget = joined([f"{value} {name}" for name, value in spent.items()])
    text += f", searched with {budget}" if budget else ""
    for name in ("objective", "simulator", "goal"):
        facts[name] = _summary(_below(settings, f"{name}."))
    facts["success by"] = row.success_by
    if row.success_by != "task":
        text += f"; success is named objects at their places, by {row.success_by}"
    return Conditions(tuple(facts.items()), text)


def of_training(run: Run) -> Conditions:
    """The data that were learned from (of a run that goes on, as they are now) and validation."""
    settings = run.settings
    path = str(settings.get("data.path", ""))
    data = run.results.data if isinstance(run.results, Training) else None
    if data is None:
        data = Data(path=path, digest=None if run.results or not path else _content(path, settings))
    file = Path(data.path).name
    facts = {"data": _marked(data), **_reading(settings)}
    if data.former:
        facts["data before"] = ", ".join(str(one.get(CONTENT_ID))[:_SHORT] for one in data.former)
    if "model.image_size" in settings and settings["model.image_size"] is not None:
        facts["image size"] = str(settings["model.image_size"])
    validation = _below(settings, "trainer.")
    facts |= {_words(name): validation[name] for name in _OF_VALIDATION if name in validation}
    return Conditions(tuple(facts.items()), f"Trained on {file}" if file else "", file)


def _content(path: str, settings: Mapping[str, Any]) -> str | None:
    """The id of a file of episodes; None where it cannot be read any more."""
    layout, scale = settings.get("data.layout"), settings.get("data.scale")
    try:
        file = EpisodeFile(Path(path).expanduser(), actions=False, layout=layout, scale=scale)
        return file.identity[CONTENT_ID]
    except (ArmillaryError, OSError):
        return None


def _marked(data: Data, size: Any = None) -> str:
    """What tells a file's content from that of others: its id; of an old result, name and size."""
    if data.digest:
        return f"[{data.digest[:_SHORT]}]"
    file = Path(data.path).name
    return f"{file} [{size} bytes]" if size else file


def _reading(settings: Mapping[str, Any]) -> dict[str, str]:
    """How the user said that data are to be read, where anything was said."""
    said = {name: settings.get(f"data.{name}") for name in ("layout", "scale")}
    return {name: str(value) for name, value in said.items() if value is not None}


def _summary(settings: Mapping[str, str]) -> str:
    """Nested settings in a line."""
    return ", ".join(
        f"{name.removeprefix('terms.').removesuffix('_target_').rstrip('.')} {value}".strip()
        for name, value in settings.items()
        if value not in ("None", "[]")
    )


def _below(settings: Mapping[str, Any], prefix: str) -> dict[str, str]:
    """Settings under a prefix by the rest of their name."""
    return {
        name.removeprefix(prefix): str(value).removeprefix("armillary.")
        for name, value in settings.items()
        if name.startswith(prefix) and name not in _WITHOUT_MEANING
    }


def _words(name: str) -> str:
    return name.replace("_", " ")
