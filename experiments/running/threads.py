"""Torch's threads of a verb that computes: as many as are free when it starts, kept if it resumes.

Training and planning look after their threads themselves, again and again (``armillary.threads``).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from armillary import processors

log = logging.getLogger(__name__)

COMPUTING = ("bench", "evaluate", "export", "fvd", "generate", "render")
"""Verbs that compute with a model."""
PLANNING = ("benchmark", "plan")
"""Verbs whose agents follow what is free."""


def number_for(verb: str, recorded: Any = None, deterministic: bool = False) -> int | None:
    """How many threads a run uses; None for a verb that does not compute, or looks itself.

    The number in the environment, else the recorded one, else what is free, or one where results
    may not depend on it. Planning then keeps to that one.

    Args:
        verb: what runs.
        recorded: the number in the record of the run that is continued, if there is one.
        deterministic: whether the same command must give the same bits.
    """
    if verb not in (*COMPUTING, *(PLANNING if deterministic else ())):
        return None
    import torch  # which these verbs have loaded already

    if processors.set_by_user(os.environ):
        return torch.get_num_threads()
    most = min(torch.get_num_threads(), processors.usable())
    if isinstance(recorded, int):
        return max(1, min(recorded, most))
    return 1 if deterministic else processors.first_number(most)


@contextmanager
def torch_threads(number: int | None) -> Iterator[None]:
    """A block in which torch uses ``number`` threads; None changes nothing."""
    if number is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    if number < before:
        log.info("%d of %d threads: others use the other processors", number, before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
