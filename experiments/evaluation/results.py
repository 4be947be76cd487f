"""What the verbs find, as their ``results.json`` holds it: written and read by these classes."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from armillary.experiments.command.stored import Count, Interval, Number, Part, Stored, read
from armillary.experiments.evaluation.diagnosis.evidence import Diagnosis
from armillary.experiments.evaluation.metrics import METRICS, Metric
from armillary.experiments.evaluation.speed import Speed
from armillary.experiments.evaluation.success import Benchmark, Planning, Selftest

RESULTS = "results.json"
_DESCRIPTION = attrgetter("label", "unit", "digits", "higher_is_better")


def _something(found: dict[str, Any]) -> dict[str, Any]:
    if not found:
        raise ValueError("must hold at least one metric")
    return found


class Statistics(Part):
    """A measure over videos; quantiles by their percentage."""

    mean: Number
    ci95: Interval | None = None
    quantiles: dict[str, Number] = Field(default_factory=dict)
    per_frame: list[Number] = Field(default_factory=list)
    per_frame_ci95: list[Interval | None] = Field(default_factory=list)
    per_frame_quantiles: dict[str, list[Number]] = Field(default_factory=dict)


class ObjectStatistics(Statistics):
    """A measure of masks in the imagined frames; ``context`` in those before."""

    context: Statistics


class Objects(Part):
    """Measures of masks by name, and the recall by threshold."""

    __pydantic_extra__: dict[str, ObjectStatistics] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]
    recall_at: dict[str, Number] = Field(default_factory=dict)

    @property
    def measures(self) -> dict[str, ObjectStatistics]:
        """By name."""
        return dict(self.__pydantic_extra__)


class Described(Part):
    """How a metric is written, for those who read the results without its plug-in."""

    label: str
    unit: str = ""
    digits: Annotated[int, Field(ge=0, le=15)] = 3
    higher_is_better: bool | None = None


class Data(Part):
    """What a model was shown.

    Attributes:
        path: of the file.
        digest: the id of its content; None in files of before it was kept.
        layout: that it was read in; None likewise.
        scale: the values of black and white, by split; None likewise.
        former: other data that the work was begun with, which the user changed on purpose.
    """

    path: str
    digest: str | None = None
    layout: str | None = None
    scale: dict[str, list[float]] | None = None
    former: list[dict[str, Any]] = Field(default_factory=list)


class EvaluatedData(Data):
    """The split that was evaluated."""

    split: str | None = None
    episodes: Count | None = None
    length: Count | None = None
    image_size: Count | None = None
    action_size: Count | None = None
    has_masks: bool | None = None


class Example(Part):
    """The film of a video; ``tier`` is its place among all by the PSNR of its best rollout."""

    tier: str
    video: Count
    rollout: Count
    psnr: Number
    gif: str


class Evaluation(Stored):
    """Of ``evaluate``: statistics by metric and tier, by baseline and metric, by measure."""

    verb: str = "evaluate"
    name: str = ""
    model: str
    checkpoint: str = ""
    data: EvaluatedData
    videos: Count
    rollouts: Count
    context: Count
    horizon: Count
    seed: int | None = None
    metrics: Annotated[dict[str, dict[str, Statistics]], AfterValidator(_something)]
    baselines: dict[str, dict[str, Statistics]]
    diversity: dict[str, Statistics]
    objects: Objects | None
    measures: dict[str, Described] = Field(default_factory=dict)
    examples: list[Example]
    identity: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _frames(self) -> Evaluation:
        for name, tiers in self.metrics.items():
            if "best" not in tiers:
                raise ValueError(f"metrics.{name} has no 'best'")
        held = {
            f"metrics.{n}.{t}": s for n, tiers in self.metrics.items() for t, s in tiers.items()
        }
        for name, by_metric in self.baselines.items():
            held |= {f"baselines.{name}.{metric}": s for metric, s in by_metric.items()}
        for place, stats in held.items():
            _check_length(place, stats, (self.horizon,))
        for name, stats in (self.objects.measures if self.objects else {}).items():
            _check_length(f"objects.{name}", stats, (self.horizon, self.context + self.horizon))
        return self

    @property
    def table(self) -> dict[str, Metric]:
        """How its metrics are written: as the file says, else as this program does."""
        told = {name: Metric(*_DESCRIPTION(how)) for name, how in self.measures.items()}
        return {**METRICS, **told}


class RenderedPlan(Part):
    """The episode that ``render`` planned."""

    seed: Count
    success: bool
    steps: Count
    distances: list[Number] = Field(default_factory=list)


class Rendering(Stored):
    """Of ``render``: what is filmed, and numbers by frame; ``digest`` is of the data."""

    checkpoint: str
    data: str
    digest: str | None = None
    split: str
    episode: Count
    files: list[str] = Field(default_factory=list)
    rollout: dict[str, Any] = Field(default_factory=dict)
    plan: RenderedPlan | None = None


class Training(Stored):
    """Of ``train``: where the last validation ended, and what the user should know of it."""

    steps: Count
    seconds: float
    interrupted: bool = False
    metrics: dict[str, Number]
    data: Data | None = None
    remarks: list[str] = Field(default_factory=list)


class ProposalTraining(Stored):
    """Of ``train-proposals``: squared errors of its guesses, 1 being half of the actions' range."""

    horizon: Count
    episodes: Count
    errors: dict[str, float]
    data: Data | None = None


class Generation(Stored):
    """Of ``generate``: the file, the shape and kind of each array in it, and what it is made of."""

    data: Data | None = None
    file: str
    videos: Count
    arrays: dict[str, str]


class Distance(Part):
    """A Frechet distance over populations."""

    mean: float
    std: Number = None
    per_population: list[float] = Field(default_factory=list)
    feature_size: Count = 0
    network: dict[str, str] = Field(default_factory=dict)


class Realism(Stored):
    """Of ``fvd``: distances by name, of how many videos and files."""

    verb: str = "fvd"
    distances: dict[str, Distance]
    populations: Count
    videos: dict[str, Count]
    frames: Count
    image_size: list[int]
    files: dict[str, list[dict[str, Any]]]


class Demonstration(Stored):
    """Of ``demo``: seconds by phase."""

    collect: float
    train: float
    benchmark: float
    render: float


class Written(Part):
    """A program in a file of a format; without a file, the reason.

    Attributes:
        rows: numbers of rows that it was compared with the model at.
        difference: the greatest, in units of the greatest result where that is above 1.
    """

    bytes: Count = 0
    reason: str = ""
    rows: list[Count] = Field(default_factory=list)
    difference: Number = None


class Exported(Stored):
    """Of ``export``: what was written, by the name of the file."""

    checkpoint: str
    tolerance: float
    files: dict[str, Written]


OF_VERB: dict[str, type[Stored]] = {
    "evaluate": Evaluation,
    "benchmark": Benchmark,
    "plan": Planning,
    "render": Rendering,
    "train": Training,
    "train-proposals": ProposalTraining,
    "generate": Generation,
    "fvd": Realism,
    "demo": Demonstration,
    "bench": Speed,
    "export": Exported,
    "selftest": Selftest,
    "diagnose": Diagnosis,
}
"""The class of a verb's results; those of other verbs are ``Stored``."""


def read_results(directory: Path, verb: str) -> Stored:
    """What a run found.

    Raises:
        UsageError: there is no file of results, or it is damaged.
    """
    return read(directory / RESULTS, OF_VERB.get(verb, Stored))


def _check_length(place: str, stats: Statistics, lengths: tuple[int, ...]) -> None:
    """Raises ValueError unless there is a value for each frame, and an interval, if any."""
    count = len(stats.per_frame)
    if count and count not in lengths:
        raise ValueError(
            f"{place}.per_frame must have one number for each of {lengths[0]} frames, got {count}"
        )
    if len(stats.per_frame_ci95) not in (0, count):
        raise ValueError(
            f"{place}.per_frame_ci95 must have {count} intervals, got {len(stats.per_frame_ci95)}"
        )
