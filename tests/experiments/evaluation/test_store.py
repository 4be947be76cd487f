"""An evaluation goes on only with the data, the metrics and the settings that it began with."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from armillary.experiments.command.errors import UsageError
from armillary.experiments.evaluation.store import DIGEST, Store, check_identity

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


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "text", "pickled"])
def test_a_video_whose_file_is_damaged_is_measured_again(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(tmp_path)
    store.begin(HERE)
    assert not store.has(0)
    store.put(0, {"psnr": np.ones((2, 3), np.float32)})
    assert store.has(0)
    (file,) = (tmp_path / "partial").glob("*.npz")
    whole = file.read_bytes()
    changed = whole.replace(np.float32(1).tobytes(), np.float32(2).tobytes(), 1)
    pickled = io.BytesIO()
    np.savez(pickled, psnr=np.array([None]))
    made = {"cut": whole[:-30], "changed": changed, "empty": b"", "text": b"PK\5\6" + b"\0" * 18}
    file.write_bytes({**made, "pickled": pickled.getvalue()}[damage])
    assert not store.has(0)


def test_an_identity_that_is_damaged_is_told(tmp_path: Path) -> None:
    Store(tmp_path).begin(HERE)
    for content in (b"", b"[1]", b"[" * 100_000):
        (tmp_path / "partial" / "identity.json").write_bytes(content)
        with pytest.raises(UsageError, match=r"identity\.json"):
            Store(tmp_path).begin(HERE)
