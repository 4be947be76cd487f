"""What a page shows of ``render``, of ``fvd``, and of any verb that has no page of its own."""

from __future__ import annotations

from armillary.experiments.command.config import flatten
from armillary.experiments.command.console import counted
from armillary.experiments.evaluation.results import Realism, Rendering
from armillary.experiments.evaluation.speed import Speed
from armillary.experiments.films.embedded import FilmRequest
from armillary.experiments.pages.html import Content
from armillary.experiments.pages.runs import Run

FILMS = (
    (
        "rollout",
        "Real and imagined",
        "The model sees the first frames (blue). From then on it is given the actions alone "
        "(orange): once without noise, then sampled.",
    ),
    (
        "slots",
        "Slots",
        "What each slot shows where its mask lies, and the masks in the colours of their slots: "
        "above for a model that sees every frame, below imagined from the first ones.",
    ),
    (
        "plan",
        "A planned episode",
        "What happened, what the plan then in force expected, where that plan would end, and the "
        "goal image; it counts for what is pushed, not for what pushes.",
    ),
)
"""File name without its ending, title and caption of every film of ``render``."""
_DISTANCES = {"fvd": "FVD", "slot_frechet_distance": "slot Fréchet distance"}
_MADE_WITH = ("config", "commit", "versions", "schema_version")
"""Results that are shown with the run itself."""
_LONGEST = 80


def rendered(run: Run, found: Rendering) -> Content:
    """The films of a run, and of what they are; old results do not say which there are."""
    rows = [
        ("checkpoint", found.checkpoint),
        ("data", found.data),
        ("split", found.split),
        ("episode", str(found.episode)),
    ]
    films = [
        FilmRequest(
            title=f"{run.name}: {title}",
            caption=caption,
            alt=f"Film: {caption}",
            gif=run.directory / f"{name}.gif",
            still=run.directory / f"{name}.png",
        )
        for name, title, caption in FILMS
        if not found.files or f"{name}.gif" in found.files
    ]
    return Content(view=[("What is filmed", rows)], films=films)


def measured(found: Realism) -> Content:
    """The distances of a run of ``fvd``."""
    told = [(_DISTANCES.get(name, name), distance) for name, distance in found.distances.items()]
    rows = []
    for name, distance in told:
        spread = "" if distance.std is None else f", standard deviation {distance.std:.4g}"
        rows.append((name, f"{distance.mean:.4g}{spread}, {distance.feature_size} features"))
        rows += [(f"{name}, {key}", value) for key, value in distance.network.items()]
    sizes = " and ".join(f"{count} {side}" for side, count in found.videos.items())
    populations = counted(found.populations, "population")
    return Content(
        view=[("Distances between real and generated videos, lower is better", rows)],
        about=f"{populations} of {sizes} videos of {counted(found.frames, 'frame')}.",
        highlights=[(f"{distance.mean:.4g}", name) for name, distance in told],
    )


def benched(found: Speed) -> Content:
    """How fast a machine was, a table for each group of rows."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for row in found.rows:
        name = row.key.removeprefix(f"{row.group}: ")
        groups.setdefault(row.group, []).append((name, row.found))
    growth = [(f"{one.name}, by {one.by}", f"{one.exponent:.2f}") for one in found.growth]
    checks = [(one.name, f"{'yes' if one.passed else 'no'}: {one.told}") for one in found.checks]
    more = {"time grows as the power": growth, "checks": checks}
    machine = found.machine
    return Content(
        view=[(title, rows) for title, rows in (groups | more).items() if rows],
        about=f"{machine.processor}, {counted(machine.threads, 'thread')}, {machine.device}.",
    )


def plain(run: Run) -> Content:
    """The numbers and words in the results of a verb that has no tables of its own."""
    leaves = flatten({k: v for k, v in run.raw().items() if k not in _MADE_WITH})
    rows = [(key, _shown(value)) for key, value in leaves.items()]
    return Content(view=[("Results", rows)] if rows else ())


def _shown(value: object) -> str:
    if value is None:
        return "none"
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
