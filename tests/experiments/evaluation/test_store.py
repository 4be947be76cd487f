"""An evaluation goes on only with the data, the metrics and the settings that it began with."""

from __future__ import annotations

from pathlib import Path

import pytest

from armillary.experiments.command.errors import UsageError
from armillary.experiments.evaluation.store import DIGEST, check_identity

HERE = {"seed": 0, "data": "a.h5", DIGEST: "1", "metrics": ["psnr"]}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({DIGEST: "2"}, "digest of data is"),
        ({"metrics": ["ssim"]}, "metrics is"),
        ({"seed": 1}, ""),
    ],
)
def test_another_evaluation_is_refused(change: dict, told: str) -> None:
    with pytest.raises(UsageError, match=f"holds another evaluation: {told}"):
        check_identity(Path("out"), {**HERE, **change}, HERE)


def test_one_of_before_digests_were_kept_goes_on() -> None:
    check_identity(Path("out"), {"seed": 0, "data": "a.h5"}, HERE)
