"""An evaluation goes on only with the data, the metrics and the settings that it began with."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from armillary.experiments.command.errors import UsageError
from armillary.experiments.evaluation.store import Store, check_identity

HERE = {
    "seed": 0,
    "data": {"path": "x/a.h5", "content_id": "1" * 64},
    "bytes of data": 9,
    "metrics": ["psnr"],
    "model": {"name": "ssm"},
    "weights": {"model.safetensors": "3" * 64},
}
OTHER = {"path": "y/a.h5", "content_id": "2" * 64}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"data": OTHER}, r"of other data: y/a.h5 \(id 2{12}\) there and x/a.h5 \(id 1{12}\) here"),
        ({"data": "a.h5", "digest of data": "2" * 64}, r"of other data: a.h5 \(id 2{12}\) there"),
        ({"data": "a.h5", "bytes of data": 8}, r"of other data: a.h5 \(8 bytes\) there"),
        ({"data": "b.h5"}, r"of other data: b.h5 \(9 bytes\) there"),
        ({"metrics": ["ssim"]}, ": metrics is"),
        ({"model": {"name": "op3"}}, ": model is"),
        ({"seed": 1}, ": seed is"),
        ({"weights": {"model.safetensors": "5" * 64}}, ": weights is"),
    ],
)
def test_another_evaluation_is_refused(change: dict, told: str) -> None:
    with pytest.raises(UsageError, match=f"holds an(other)? evaluation ?{told}"):
        check_identity(Path("out"), {**HERE, **change}, HERE)


def test_other_data_may_be_meant() -> None:
    told = check_identity(Path("out"), {**HERE, "data": OTHER}, HERE, data_changed=True)
    assert "y/a.h5" in (told or "")
    with pytest.raises(UsageError, match="seed"):
        check_identity(Path("out"), {**HERE, "data": OTHER, "seed": 1}, HERE, data_changed=True)


@pytest.mark.parametrize(
    "there",
    [
        {},
        {**HERE, "data": {**HERE["data"], "path": "moved.h5"}},
        {**HERE, "data": "a.h5", "digest of data": "1" * 64},
        {"seed": 0, "data": "a.h5", "weights": HERE["weights"]},
        {**HERE, "weights": {**HERE["weights"], "training.pt": "4" * 64}},
    ],
    ids=["nothing", "moved", "older", "before digests", "with times"],
)
def test_the_same_evaluation_goes_on(there: dict) -> None:
    assert check_identity(Path("out"), there, HERE) is None


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
