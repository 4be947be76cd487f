"""What runs must share to be compared, from their resolved configurations and their data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from armillary.experiments.command.console import counted, joined
from armillary.experiments.evaluation.results import Data, Evaluation, Row, Training
from armillary.experiments.pages.html import Section
from armillary.experiments.pages.runs import Run
from armillary.world_models.data.identity import content_digest

_SHORT = 8
_OF_GOALS = ("items", "keep_clear", "tolerance")
"""Characters of a digest that are shown where data of one name differ."""

Member = TypeVar("Member")


@dataclass(frozen=True)
class Conditions:
    """What two runs must share.

    Attributes:
        facts: names and values, as people read them.
        text: the same as a sentence without its end.
    """

    facts: tuple[tuple[str, str], ...]
    text: str


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
            ", ".join(f"{n} {tables[conditions].get(n) or 'unknown'}" for n in differing),
        )
        for conditions, found in held.items()
    ]


def of_evaluation(found: Evaluation) -> Conditions:
    """The videos that were imagined, and how far and how often."""
    data, file = found.data, Path(found.data.path).name
    facts = {
        "data": _named(file, data, found.identity.get("bytes of data")),
        "split": data.split or "all",
        "episodes": str(data.episodes or ""),
        "image size": str(data.image_size or ""),
        "videos": str(found.videos),
        "rollouts": str(found.rollouts),
        "context": str(found.context),
        "horizon": str(found.horizon),
    }
    text = (
        f"{counted(found.videos, 'video')} of {file} ({facts['split']}), "
        f"{counted(found.rollouts, 'rollout')} each, {counted(found.context, 'context frame')} "
        f"and then {counted(found.horizon, 'imagined one')}"
    )
    return Conditions(tuple(facts.items()), text)


def of_planning(run: Run, row: Row) -> Conditions:
    """The problems that were posed, and how far and how long a plan is searched."""
    facts = {"task": row.task}
    settings = run.settings
    environment = _below(settings, "task.environment.")
    facts |= {name.replace("_", " "): value for name, value in environment.items() if name != "id"}
    if "task.max_steps" in settings:
        facts["steps"] = str(settings["task.max_steps"])
    facts |= {"problems": str(row.episodes), "seed": str(row.seed)}
    posed = ", ".join(f"{name} {value}" for name, value in facts.items() if name in _shown(facts))
    steps = f" of at most {counted(int(facts['steps']), 'step')}" if "steps" in facts else ""
    seeds = f"with seeds from {row.seed}" if row.episodes > 1 else f"with seed {row.seed}"
    text = f"Task {row.task}{f' ({posed})' if posed else ''}, "
    text += f"{counted(row.episodes, 'problem')}{steps} {seeds}"
    search = {
        name.replace("_", " "): str(settings[name])
        for name in ("horizon", "replan_interval")
        if name in settings
    }
    if "horizon" in search:
        text += f"; plans look {counted(int(search['horizon']), 'step')} ahead"
    search |= {f"search {name}": value for name, value in _budget(settings).items()}
    budget = joined([f"{value} {name}" for name, value in _budget(settings).items()])
    text += f", searched with {budget}" if budget else ""
    wanted = {}
    if row.success_by != "task":
        goal = _below(settings, "goal.")
        wanted = {name.replace("_", " "): goal[name] for name in _OF_GOALS if name in goal}
        wanted["success by"] = row.success_by
        text += f"; success is named objects at their places, by {row.success_by}"
    return Conditions(tuple({**facts, **search, **wanted}.items()), text)


def of_training(run: Run) -> Conditions:
    """The data that were learned from; of a run that goes on, as they are now."""
    path = str(run.settings.get("data.path", ""))
    data = run.results.data if isinstance(run.results, Training) else None
    if data is None:
        digest = None
        if run.results is None and path and Path(path).expanduser().is_file():
            digest = content_digest(Path(path).expanduser())
        data = Data(path=path, digest=digest)
    file = Path(data.path).name
    sizes = {"image size": run.settings.get("model.image_size")}
    facts = {"data": _named(file, data), **{k: str(v) for k, v in sizes.items() if v is not None}}
    return Conditions(tuple(facts.items()), f"Trained on {file}" if file else "")


def _shown(facts: dict[str, str]) -> list[str]:
    """The names of an environment's own settings."""
    return [name for name in facts if name not in ("task", "steps", "problems", "seed")]


def _named(file: str, data: Data, size: Any = None) -> str:
    """A file's name with what tells its content from that of others."""
    mark = data.digest[:_SHORT] if data.digest else f"{size} bytes" if size else ""
    return f"{file} [{mark}]" if mark else file


def _budget(settings: Any) -> dict[str, str]:
    """What a search may spend: candidates and iterations, or of one without them, its settings."""
    planner = _below(settings, "planner.")
    spent = {name: planner[name] for name in ("samples", "iterations") if name in planner}
    return spent or {name: value for name, value in planner.items() if name != "_target_"}


def _below(settings: Any, prefix: str) -> dict[str, str]:
    found = {name: value for name, value in settings.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): str(value) for name, value in found.items()}
