"""Folders of proposals: their description and their tensors."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random

import torch

from armillary.planners.proposals.network import InverseDynamics
from armillary.planners.proposals.query import Query
from armillary.planners.proposals.recorded import Recorded
from armillary.planners.proposals.stored import ABOUT, TENSORS, Stored, load, save
from tests.reliability.fuzz.mutate import raw, values
from tests.reliability.fuzz.reader import Files, Reader, replaced
from tests.reliability.fuzz.readers.checkpoints import _ODD_HEADERS, _header, _joined


@cache
def _folders() -> list[Files]:
    torch.manual_seed(0)
    network = InverseDynamics(slot_size=3, action_size=2, horizon=4, guesses=2, width=8, layers=1)
    flags = torch.ones(3, 2)
    recorded = Recorded(torch.randn(3, 5, 2, 3), torch.rand(3, 4, 2), flags, 0 * flags)
    with tempfile.TemporaryDirectory() as folder:
        path = save(Stored(Path(folder), "a model", network, recorded, {"data": {}}))
        return [{name: (path / name).read_bytes() for name in (ABOUT, TENSORS)}]


def _damaged(random: Random, files: Files) -> Files:
    if random.random() < 0.5:
        return replaced(random, files, ABOUT, values.json_damaged(random, files[ABOUT]))
    if random.random() < 0.3:
        changed = raw.damaged(random, files[TENSORS])
    else:
        header, body = _header(files[TENSORS])
        changed = _joined(values.damaged(random, header, _ODD_HEADERS), body)
    about = json.loads(files[ABOUT]) | {"sha256": sha256(changed).hexdigest()}
    return {TENSORS: changed, ABOUT: json.dumps(about).encode()}


def _load(folder: Path) -> object:
    """What is read proposes, too."""
    stored = load(str(folder))
    slots, size = stored.recorded.slots.shape[2], stored.network.slot_size
    flags = torch.ones(1, slots)
    query = Query(torch.zeros(1, slots, size), torch.ones(1, slots, size), flags, 0 * flags)
    idle = torch.zeros(stored.network.action_size)
    return stored.network.guess(query), stored.recorded.nearest(query, 2, 3, idle)


READERS = (Reader("proposals", _folders, _damaged, _load),)
