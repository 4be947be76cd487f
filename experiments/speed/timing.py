"""Times a case in turn with its plain formulation and a ceiling, so that noise meets them alike."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from armillary.experiments.evaluation.speed import Measured, Row
from armillary.experiments.speed.cases import COPY, PRODUCT, Case, Setting, Work
from armillary.memory import PeakMemory
from armillary.world_models.device import PRECISIONS, computing_in

Clock = Callable[[], float]
_MOST_CALLS = 1000
_COSTLIEST = 6
_ROWS, _ROWS_ON_CUDA = 1024, 8192
"""Of the square matrices whose product is a ceiling. One of 128 rows gets a third of what a
processor can do, so that shares of it would be above 1."""
_LONG_ENOUGH = 0.05
"""Seconds that a ceiling is timed at least, whatever the size."""


def clock_of(setting: Setting, threads: int, alone: bool = True) -> Clock:
    """What is read before and after.

    The processor's time of this process where one thread of it does everything: others, who take
    the processor away, are not measured. Else the time of the clock.
    """
    one = alone and threads == 1 and setting.device.type == "cpu"
    return time.process_time if one else time.perf_counter


def measured(case: Case, setting: Setting) -> Row:
    """Prepares, times and closes a case."""
    row = case.row
    if case.make is None:
        return row
    with threads(case.threads or setting.threads):
        try:
            work = case.make()
            try:
                numbers = _numbers(case, work, setting)
            finally:
                work.close()
        except RuntimeError as error:
            if not case.may_fail:
                raise
            reason = " ".join(str(error).split()) or type(error).__name__
            return row.model_copy(update={"note": f"cannot be done here: {reason[:200]}"})
    note = "; ".join(filter(None, [case.note, work.note(numbers)]))
    reached = [target.met(numbers) for target in case.targets]
    return row.model_copy(update={"measured": numbers, "note": note, "reached": reached})


def _numbers(case: Case, work: Work, setting: Setting) -> Measured:
    ours = counted(work.counted, setting.device) if work.counted else None
    plain = counted(work.plain, setting.device) if work.counted and work.plain else None
    for _ in range(work.warm - 1 if setting.device.type == "cuda" else 0):
        work.ours()  # until it is captured
    # What can be done at best, and how much of it a call of ours asks for.
    best, asked = None, 0
    if case.ceiling == PRODUCT and ours and ours.flops:
        best, asked = product(setting, case.precision), ours.flops
    elif case.ceiling == COPY and work.moved:
        best, asked = copy(setting), work.moved
    functions = {"ours": work.ours, "plain": work.plain, "best": best and best[0]}
    rounds = in_turn(
        {name: function for name, function in functions.items() if function is not None},
        setting,
        clock=clock_of(setting, case.threads or setting.threads, case.alone),
        own_clock={"ours"} if work.own_clock else set(),
        steady={"best"},
    )
    seconds, theirs = rounds["ours"], rounds.get("plain")
    share = best and median(
        asked / own / (best[1] / least) for own, least in zip(seconds, rounds["best"], strict=True)
    )
    megabytes = work.megabytes()
    return Measured(
        rate=case.units / median(seconds),
        seconds=median(seconds),
        spread=_spread(seconds),
        plain=median(theirs) if theirs else None,
        ratio=median(b / a for a, b in zip(seconds, theirs, strict=True)) if theirs else None,
        share=share,
        gigaflops=ours.flops / 1e9 if ours and ours.flops else None,
        operators=ours.operators if ours else None,
        where=ours.where if ours else {},
        megabytes=ours.bytes / 1e6 if ours and megabytes is None else megabytes,
        plain_megabytes=plain.bytes / 1e6 if plain else None,
    )


def in_turn(
    functions: Mapping[str, Callable[[], object]],
    setting: Setting,
    *,
    clock: Clock = time.perf_counter,
    own_clock: set[str] | frozenset[str] = frozenset(),
    steady: set[str] | frozenset[str] = frozenset(),
) -> dict[str, list[float]]:
    """Seconds of one call of each function in every round, after a first one that warms up.

    Args:
        functions: by name; every other round goes through them backwards.
        setting: says how many rounds, and how long each timing is.
        clock: seconds.
        own_clock: names of functions that return their seconds.
        steady: names of functions that are timed long enough at every size.
    """
    calls: dict[str, int] = {}
    for name, function in functions.items():
        first = timed(function, 1, setting.device, clock)
        least = max(setting.size.least, _LONG_ENOUGH if name in steady else 0.0)
        wanted = 1 if name in own_clock else math.ceil(least / max(first, 1e-6))
        calls[name] = min(_MOST_CALLS, max(1, wanted))
    found: dict[str, list[float]] = {name: [] for name in functions}
    for number in range(setting.size.rounds):
        for name in list(functions)[:: -1 if number % 2 else 1]:
            function = functions[name]
            if name in own_clock:
                found[name].append(float(function()))  # pyright: ignore[reportArgumentType]
            else:
                found[name].append(timed(function, calls[name], setting.device, clock))
    return found


def timed(
    function: Callable[[], object],
    calls: int,
    device: torch.device,
    clock: Clock = time.perf_counter,
) -> float:
    """Seconds of one of several calls, the device's work included."""
    synchronize(device)
    started = clock()
    for _ in range(calls):
        function()
    synchronize(device)
    return max(1e-9, (clock() - started) / calls)


@dataclass(frozen=True)
class Counted:
    """What a call asks for.

    Attributes:
        flops: of its matrix products and convolutions.
        bytes: of the tensors that it makes, at their peak.
        operators: that are computed, views left out.
        where: the shares of time that the costliest of them take, where torch waits for them.
    """

    flops: int
    bytes: int
    operators: int
    where: dict[str, float]


def counted(function: Callable[[], object], device: torch.device) -> Counted:
    """Calls a function and counts."""
    flops = FlopCounterMode(display=False)
    cuda = device.type == "cuda"
    before = torch.cuda.memory_allocated(device) if cuda else 0
    if cuda:
        torch.cuda.reset_peak_memory_stats(device)
    with _Operators() as operators, PeakMemory() as memory, flops:
        function()
    peak = torch.cuda.max_memory_allocated(device) - before if cuda else memory.peak
    total = sum(operators.seconds.values()) or 1.0
    most = sorted(operators.seconds, key=lambda name: -operators.seconds[name])[:_COSTLIEST]
    where = {name: round(operators.seconds[name] / total, 3) for name in most}
    return Counted(flops.get_total_flops(), peak, operators.count, {} if cuda else where)


class _Operators(TorchDispatchMode):
    """Counts and times what is computed; entered first, so that other modes are not timed."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.seconds: dict[str, float] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any | None = None
    ) -> Any:
        started = time.thread_time()
        result = func(*args, **(kwargs or {}))
        took = time.thread_time() - started
        if not func.is_view:
            self.count += 1
            name = func.overloadpacket.__name__
            self.seconds[name] = self.seconds.get(name, 0.0) + took
        return result


def product(setting: Setting, precision: str) -> tuple[Callable[[], object], float]:
    """A large matrix product, and its operations."""
    size = _ROWS_ON_CUDA if setting.device.type == "cuda" else _ROWS
    dtype = PRECISIONS[precision]
    left, right = torch.ones(2, size, size, dtype=dtype, device=setting.device)
    result = torch.empty_like(left)

    def multiply() -> None:
        with computing_in(precision, setting.device):
            torch.mm(left, right, out=result)

    return multiply, 2.0 * size**3


def copy(setting: Setting) -> tuple[Callable[[], object], float]:
    """A large copy in the processor's memory, and the bytes that it reads and writes."""
    source = torch.ones(setting.size.copied, dtype=torch.uint8)
    target = torch.empty_like(source)
    return lambda: target.copy_(source), 2.0 * len(source)


def synchronize(device: torch.device) -> None:
    """Waits until a device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@contextmanager
def threads(number: int) -> Iterator[None]:
    """A block in which torch has so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _spread(seconds: list[float]) -> float:
    if len(seconds) < 2:
        return 0.0
    first, _, third = quantiles(seconds, n=4, method="inclusive")
    return (third - first) / median(seconds)
