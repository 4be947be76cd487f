"""Times a case in turn with its plain formulation and a ceiling, so that noise meets them alike."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median, quantiles

import torch
from torch.utils.flop_counter import FlopCounterMode

from armillary.experiments.evaluation.speed import Measured, Row
from armillary.experiments.speed.cases import COPY, PRODUCT, Case, Setting, Work
from armillary.memory import PeakMemory
from armillary.world_models.device import PRECISIONS

Clock = Callable[[], float]
_MOST_CALLS = 1000


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
    flops, bytes_, plain_bytes = 0, None, None
    if work.counted is not None:
        flops, bytes_ = counted(work.counted, setting.device)
        if work.plain is not None:
            plain_bytes = counted(work.plain, setting.device)[1]
    for _ in range(work.warm - 1 if setting.device.type == "cuda" else 0):
        work.ours()  # until it is captured
    # What can be done at best, and how much of it a call of ours asks for.
    best, asked = None, 0
    if case.ceiling == PRODUCT and flops:
        best, asked = product(setting, case.precision), flops
    elif case.ceiling == COPY and work.moved:
        best, asked = copy(setting), work.moved
    functions = {"ours": work.ours, "plain": work.plain, "best": best and best[0]}
    rounds = in_turn(
        {name: function for name, function in functions.items() if function is not None},
        setting,
        clock=clock_of(setting, case.threads or setting.threads, case.alone),
        own_clock={"ours"} if work.own_clock else set(),
    )
    ours, plain = rounds["ours"], rounds.get("plain")
    share = best and median(
        asked / seconds / (best[1] / least)
        for seconds, least in zip(ours, rounds["best"], strict=True)
    )
    own = work.megabytes()
    megabytes = bytes_ and bytes_ / 1e6 if own is None else own
    return Measured(
        rate=case.units / median(ours),
        seconds=median(ours),
        spread=_spread(ours),
        plain=median(plain) if plain else None,
        ratio=median(b / a for a, b in zip(ours, plain, strict=True)) if plain else None,
        share=share,
        gigaflops=flops / 1e9 if flops else None,
        megabytes=megabytes,
        plain_megabytes=None if plain_bytes is None else plain_bytes / 1e6,
    )


def in_turn(
    functions: Mapping[str, Callable[[], object]],
    setting: Setting,
    *,
    clock: Clock = time.perf_counter,
    own_clock: set[str] | frozenset[str] = frozenset(),
) -> dict[str, list[float]]:
    """Seconds of one call of each function in every round, after a first one that warms up.

    Args:
        functions: by name; every other round goes through them backwards.
        setting: says how many rounds, and how long each timing is.
        clock: seconds.
        own_clock: names of functions that return their seconds.
    """
    calls: dict[str, int] = {}
    for name, function in functions.items():
        first = timed(function, 1, setting.device, clock)
        wanted = 1 if name in own_clock else math.ceil(setting.size.least / max(first, 1e-6))
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


def counted(function: Callable[[], object], device: torch.device) -> tuple[int, int]:
    """Operations of a call's matrix products and convolutions, and bytes of tensors at its peak."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        with FlopCounterMode(display=False) as flops:
            function()
        return flops.get_total_flops(), torch.cuda.max_memory_allocated(device) - before
    with FlopCounterMode(display=False) as flops, PeakMemory() as memory:
        function()
    return flops.get_total_flops(), memory.peak


def product(setting: Setting, precision: str) -> tuple[Callable[[], object], float]:
    """A large matrix product, and its operations."""
    size = 8192 if setting.device.type == "cuda" else setting.size.product
    dtype = PRECISIONS[precision]
    left, right = torch.ones(2, size, size, dtype=dtype, device=setting.device)
    result = torch.empty_like(left)
    return lambda: torch.mm(left, right, out=result), 2.0 * size**3


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
