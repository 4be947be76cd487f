"""Spreads independent work over threads, where one operation is too small for all cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import torch

Task = TypeVar("Task")
Result = TypeVar("Result")


def spread(function: Callable[[Task], Result], tasks: Sequence[Task]) -> list[Result]:
    """What ``function`` makes of every task, in order.

    As many tasks run at a time as torch uses threads, each with one thread of torch's.
    """
    threads = torch.get_num_threads()
    count = min(threads, len(tasks))
    if count < 2:
        return [function(task) for task in tasks]
    try:
        with ThreadPoolExecutor(count, initializer=partial(torch.set_num_threads, 1)) as pool:
            return list(pool.map(function, tasks))
    finally:
        torch.set_num_threads(threads)  # for threads that start later
