"""Without its package, reading TFRecords says what to install."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from armillary.world_models.data.sources.tfrecords import read_examples


def test_a_missing_package_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tfrecord", None)
    with pytest.raises(ValueError, match=r"pip install 'armillary\[bair\]'"):
        next(iter(read_examples(tmp_path / "any.tfrecords")))
