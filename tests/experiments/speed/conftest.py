"""The least setting of the rows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from armillary.experiments.speed.cases import Setting
from armillary.experiments.speed.sizes import SIZES
from armillary.experiments.speed.subjects import by_default


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(SIZES["smoke"], torch.device("cpu"), 1, 0, by_default(), tmp_path)
