"""How often goals were reached: what benchmarks and plans find, as their files hold it."""

from __future__ import annotations

from pydantic import Field, model_validator

from armillary.experiments.command.stored import Count, Interval, Number, Part, Stored


class Schedule(Part):
    """How often a row plans, in steps of the task.

    Attributes:
        horizon: that a plan looks ahead.
        executed: of a plan, before the next one is made.
    """

    horizon: Count
    executed: Count


class Row(Part):
    """How often something reached the goal; steps, seconds and evaluations are medians.

    Success is judged by the task, or of named objects by true places or those that the model sees.
    Numbers under further names are ``measures``.

    Attributes:
        name: of the row of a suite; empty elsewhere.
        model: that a suite calls it by, whichever of its checkpoints this is; likewise.
        held_at_end: the share of episodes that end at the goal; None where success ends them.
        schedule: how often it plans; None where nothing does.
        plan_seconds: of a plan, for each of the problems that were planned for together.
        plan_seconds_alone: of a plan for one problem alone.
        evaluations: candidates that a model was asked about for each plan.
        identity: a digest of all that the numbers depend on; empty where it was not kept.
    """

    task: str
    simulator: str
    planner: str | None
    episodes: Count
    successes: Count
    success_rate: float
    ci95: Interval
    steps_to_success: Number
    plan_seconds: Number
    plan_seconds_alone: Number = None
    evaluations: Number = None
    held_at_end: Number = None
    schedule: Schedule | None = None
    seed: Count
    success_by: str = "task"
    identity: str = ""
    name: str = ""
    model: str = ""

    @property
    def label(self) -> str:
        """What it is called, as no other one of its run is."""
        return self.name or self.simulator

    @property
    def measures(self) -> dict[str, float]:
        """What the task measures beside success (``envs.task.Measured``): means over episodes."""
        more = self.model_extra or {}
        return {name: value for name, value in more.items() if isinstance(value, float)}

    @model_validator(mode="after")
    def _possible(self) -> Row:
        low, high = self.ci95
        rate = self.successes / max(self.episodes, 1)
        if self.episodes < 1 or low is None or high is None or not 0 <= low <= rate <= high <= 1:
            raise ValueError(
                "must have successes of at least one episode and an interval around their share"
            )
        return self


class Comparison(Part):
    """Two rows on the same episodes.

    Attributes:
        a: label of one.
        b: label of the other.
        difference: success rate of ``a`` minus that of ``b``.
        ci95: its exact interval, see ``agent.statistics.paired_interval``.
        episodes: that both played.
        episodes_needed: that a difference of this size would need to be seen with a power of 80 %,
            see ``agent.statistics.episodes_needed``; None where there is none.
    """

    a: str
    b: str
    difference: float
    ci95: Interval
    episodes: Count
    episodes_needed: Count | None = None


class Trainings(Part):
    """A model that was trained several times, in the rows of one task and planner.

    Attributes:
        task: of a suite.
        model: of a suite.
        planner: name.
        rates: the success rate of each training.
        mean: of the rates.
        range: the least and the greatest.
    """

    task: str
    model: str
    planner: str | None
    rates: list[float]
    mean: float
    range: Interval


class Filmed(Part):
    """An episode that was filmed; ``gif`` is below the directory of the run."""

    row: str
    seed: Count
    success: bool
    steps: Count
    gif: str


class Benchmark(Stored):
    """Of ``benchmark``: a row for every simulator, or for every row of a suite.

    Attributes:
        rows: of it.
        comparisons: of rows that differ in one thing, the model or the planner.
        trainings: of models that were trained several times.
        films: of episodes.
        suite: the name of the suite; empty where there was none.
        about: what the suite says of itself.
        skipped: rows of the suite whose checkpoints were not there.
    """

    rows: list[Row]
    comparisons: list[Comparison] = Field(default_factory=list)
    trainings: list[Trainings] = Field(default_factory=list)
    films: list[Filmed] = Field(default_factory=list)
    suite: str = ""
    about: str = ""
    skipped: list[str] = Field(default_factory=list)


class Played(Part):
    """An episode of ``plan``; distances to the goal, as the task measures them, at every moment."""

    seed: Count
    success: bool
    steps: Count
    actions: list[list[float]] = Field(default_factory=list)
    distances: list[Number] = Field(default_factory=list)


class Planning(Benchmark):
    """Of ``plan``: one row, and its episodes."""

    episodes: list[Played] | None = None


class Again(Part):
    """An episode of a card that was played again.

    Attributes:
        task: of the row.
        planner: of the row.
        there: what the card says.
        here: what came out.
    """

    task: str
    planner: str | None
    there: Played
    here: Played

    @property
    def same(self) -> bool:
        """Whether both reached the goal, or neither did."""
        return self.there.success == self.here.success


class Selftest(Stored):
    """Of ``selftest``: the episodes, and whether all came out the same."""

    checkpoint: str
    same: bool
    episodes: list[Again]
