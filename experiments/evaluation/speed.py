"""What ``armillary bench`` finds, as its ``results.json`` holds it."""

from __future__ import annotations

from pydantic import Field

from armillary.experiments.command.stored import Count, Part, Stored

Number = float | None
Value = int | float | str


class Measured(Part):
    """The numbers of a row: medians over rounds, in each of which everything was timed in turn.

    Attributes:
        rate: units a second.
        seconds: of one call; of the processor where one thread did it, so that others do not count.
        spread: the interquartile range of the seconds, as a share of their median.
        plain: seconds of the same by the plain formulation.
        ratio: the plain formulation's seconds divided by ours.
        share: of what the machine can do at best, in the same round.
        gigaflops: of one call, of its matrix products and convolutions.
        operators: that a call computes, each of which a device has to launch.
        where: the shares of time that the costliest operators take, by name.
        megabytes: of the tensors of one call at their peak, or of worker processes.
        plain_megabytes: of the plain formulation.
    """

    rate: float
    seconds: float
    spread: float
    plain: Number = None
    ratio: Number = None
    share: Number = None
    gigaflops: Number = None
    operators: Count | None = None
    where: dict[str, float] = Field(default_factory=dict)
    megabytes: Number = None
    plain_megabytes: Number = None


class Target(Part):
    """What a row must reach.

    Attributes:
        of: the number of ``Measured`` that counts.
        most: it must not be above.
        least: it must not be below.
    """

    of: str
    most: Number = None
    least: Number = None

    def met(self, measured: Measured) -> bool:
        """Whether a row reaches it."""
        found = getattr(measured, self.of)
        low = self.least if self.least is not None else float("-inf")
        high = self.most if self.most is not None else float("inf")
        return found is not None and low <= found <= high

    def __str__(self) -> str:
        return f"{self.of} at {'least' if self.most is None else 'most'} {self.most or self.least}"


class Row(Part):
    """One thing that was measured.

    Attributes:
        group: of rows.
        name: of what is measured: a model, a search, a layout.
        settings: all that it depends on besides.
        unit: of the rate, a second.
        ceiling: what the share is of.
        measured: None where it cannot be measured, as the note says.
        note: what else is to be known.
        targets: what it must reach.
        reached: whether it does, one for each target.
    """

    group: str
    name: str
    settings: dict[str, Value]
    unit: str
    ceiling: str = ""
    measured: Measured | None = None
    note: str = ""
    targets: list[Target] = Field(default_factory=list)
    reached: list[bool] = Field(default_factory=list)

    @property
    def key(self) -> str:
        """Tells it from all others."""
        told = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        return f"{self.group}: {self.name}, {told}"

    @property
    def found(self) -> str:
        """The numbers, the note and the targets in words."""
        told, one = [], self.measured
        if one is not None:
            told.append(f"{one.rate:,.4g} {self.unit} a second, spread {one.spread:.0%}")
            told += [] if one.ratio is None else [f"{one.ratio:.2f} times as fast as plain"]
            told += [] if one.share is None else [f"{one.share:.1%} of a {self.ceiling}"]
        return "; ".join([*told, *self.remarks])

    @property
    def remarks(self) -> list[str]:
        """The note, and whether each target is reached."""
        pairs = zip(self.targets, self.reached, strict=False)
        goals = [f"{target}: {'yes' if reached else 'no'}" for target, reached in pairs]
        return [line for line in (self.note, *goals) if line]


class Growth(Part):
    """How time grows: as the power ``exponent`` of what ``by`` names."""

    name: str
    by: str
    values: list[int]
    exponent: float


class Check(Part):
    """Something that holds on a device, or does not."""

    name: str
    passed: bool
    told: str


class Machine(Part):
    """What everything was measured on.

    Attributes:
        processor: its name.
        processors: that this process may use.
        threads: of torch.
        device: that models were on.
    """

    processor: str
    processors: Count
    threads: Count
    device: str


class Speed(Stored):
    """Of ``bench``; ``identity`` is a digest of program and machine."""

    machine: Machine
    identity: str
    seed: Count
    rows: list[Row]
    growth: list[Growth] = Field(default_factory=list)
    checks: list[Check] = Field(default_factory=list)
