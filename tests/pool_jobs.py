"""What the workers of tests/test_pool.py do; loading it takes no library that is slow to load."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

from armillary.errors import ArmillaryError
from armillary.files import replacing
from armillary.pool import Pool


def double(number: int) -> int:
    time.sleep(0.02 * (number % 3 == 0))  # so that they are not finished in order
    return 2 * number


def refuse(number: int) -> int:
    if number == 2:
        raise ArmillaryError("two is no good")
    return number


def end(number: int, how: str) -> int:
    if number == 1:
        {"kill": lambda: os.kill(os.getpid(), signal.SIGKILL), "exit": lambda: os._exit(7)}[how]()
    return number


def slow_write(folder: Path, number: int) -> int:
    """Is at a file for a minute; says when."""
    with replacing(folder / f"result_{number}") as partial_path:
        partial_path.write_text("half")
        (folder / f"began_{number}").write_text(str(os.getpid()))
        time.sleep(60)
    return number


def exact(_: int) -> bool:
    import torch

    return torch.are_deterministic_algorithms_enabled()


def surroundings(_: int) -> tuple[str, int]:
    import torch

    return os.environ["OMP_NUM_THREADS"], torch.get_num_threads()


def prepare(word: str) -> None:
    os.environ["PREPARED"] = word


def prepared(_: int) -> str:
    return os.environ["PREPARED"]


def refuse_to_start() -> None:
    raise RuntimeError("no start")


def work_for_long(folder: str) -> None:
    """What a process does that the tests below end."""
    signal.signal(signal.SIGHUP, signal.default_int_handler)  # as the command line handles it
    with Pool(2) as pool:
        list(pool.map(partial(slow_write, Path(folder)), range(2)))
