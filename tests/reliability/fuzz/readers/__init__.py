"""Every reader of files, by name."""

from __future__ import annotations

from tests.reliability.fuzz.reader import Reader
from tests.reliability.fuzz.readers import (
    archives,
    cards,
    checkpoints,
    configurations,
    episodes,
    networks,
    pictures,
    proposals,
    records,
    runs,
    videos,
)

_MODULES = (
    runs,
    configurations,
    checkpoints,
    cards,
    proposals,
    episodes,
    videos,
    archives,
    records,
    pictures,
    networks,
)
READERS: dict[str, Reader] = {
    reader.name: reader for module in _MODULES for reader in module.READERS
}
