"""What is to be measured, made when it is its turn, and under which circumstances."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from armillary import processors
from armillary.experiments.evaluation.speed import Measured, Row, Target, Value
from armillary.experiments.speed.sizes import Size

PRODUCT, COPY = "product", "copy"
"""Ceilings: a large matrix product, a large copy."""


@dataclass(frozen=True)
class Setting:
    """The circumstances of all rows.

    Attributes:
        size: how much is measured.
        device: of models.
        threads: of torch.
        seed: of weights and inputs.
        models: by name.
        scratch: a folder for files, gone afterwards.
    """

    size: Size
    device: torch.device
    threads: int
    seed: int
    models: Sequence[str]
    scratch: Path

    @property
    def other_threads(self) -> list[int]:
        """One, and as many as there are processors, as far as these are not the threads' number.

        None where the user has said how many there are to be.
        """
        if processors.set_by_user(os.environ):
            return []
        return sorted({1, processors.usable()} - {self.threads})

    def best_precision(self, precision: str) -> str:
        """Of the product that is the ceiling; many processors multiply bfloat16 slowly."""
        return precision if self.device.type == "cuda" else "float32"

    def generator(self) -> torch.Generator:
        """On the processor, seeded."""
        return torch.Generator().manual_seed(self.seed)


@dataclass(frozen=True)
class Work:
    """What is timed.

    Attributes:
        ours: once.
        plain: the same by the plain formulation.
        counted: does what ``ours`` does, step by step; its products and its memory are counted.
        warm: calls of ``ours`` before it is timed.
        own_clock: whether ``ours`` returns its seconds, which are then not measured around it.
        moved: bytes that a call reads and writes; counts where the ceiling is a copy.
        megabytes: in use, asked after the last call.
        note: what is to be known of the numbers.
        close: gives back what it holds.
    """

    ours: Callable[[], object]
    plain: Callable[[], object] | None = None
    counted: Callable[[], object] | None = None
    warm: int = 1
    own_clock: bool = False
    moved: int = 0
    megabytes: Callable[[], float | None] = lambda: None
    note: Callable[[Measured], str] = lambda measured: ""
    close: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Case:
    """A row that is to be measured.

    Attributes:
        group: of rows.
        name: of what is measured.
        settings: all that it depends on besides, for people.
        unit: of the rate, a second.
        units: that a call does.
        make: prepares; None for what cannot be measured here, as ``note`` says.
        note: what else is to be known.
        threads: of torch; None takes the setting's.
        alone: whether this process does all of it.
        ceiling: ``PRODUCT`` or ``COPY``; empty for none.
        precision: of the product.
        may_fail: whether a RuntimeError is told in the row.
        targets: what it must reach.
    """

    group: str
    name: str
    settings: Mapping[str, Value]
    unit: str
    units: float = 1.0
    make: Callable[[], Work] | None = None
    note: str = ""
    threads: int | None = None
    alone: bool = True
    ceiling: str = PRODUCT
    precision: str = "float32"
    may_fail: bool = False
    targets: Sequence[Target] = ()

    @property
    def row(self) -> Row:
        """Not measured yet."""
        return Row(
            group=self.group,
            name=self.name,
            settings=dict(self.settings),
            unit=self.unit,
            ceiling=f"product, {self.precision}" if self.ceiling == PRODUCT else self.ceiling,
            note=self.note,
            targets=list(self.targets),
        )
