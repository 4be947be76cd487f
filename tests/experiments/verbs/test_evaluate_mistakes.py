"""``armillary evaluate`` explains every mistake in one line and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from armillary.experiments.command.errors import UsageError
from armillary.experiments.verbs import evaluate
from armillary.world_models.checkpoints.checkpoint import save_checkpoint
from tests.experiments.conftest import Command
from tests.experiments.tiny import tiny_model
from tests.experiments.verbs.test_evaluate import altered, words
from tests.world_models.checkpoints.edits import replace_weights


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("model") / "tiny", tiny_model(), step=1)


class Wrong(torch.nn.Module):
    def forward(self, one: torch.Tensor) -> torch.Tensor:
        return one


def test_a_file_that_is_no_lpips_is_refused(
    armillary: Command, checkpoint: Path, episodes: Path
) -> None:
    torch.jit.script(Wrong()).save("wrong.pt")
    Path("text.pt").write_text("no module")
    for name, message in (
        ("absent.pt", "there is no file"),
        ("text.pt", "is no TorchScript module"),
        ("wrong.pt", "cannot measure images of 32 px"),
    ):
        done = armillary(*words(checkpoint, episodes, "output=out", f"lpips={name}"))
        assert done.code == 2, done.err
        assert message in done.err
        assert "two float tensors" in done.err
        assert not Path("out").exists()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("rollouts=0", "rollouts must be at least 1, got 0"),
        ("context=0", "context must be at least 1"),
        ("context=14", "none is left to imagine"),
        ("horizon=13", "horizon must be in 1..12"),
        ("horizon=0", "horizon must be at least 1, got 0"),
        ("videos=7", "videos must be in 1..6"),
        ("batch=0", "batch must be at least 1"),
        ("chunk=0", "chunk must be at least 1"),
        ("threads=0", "threads must be at least 1"),
        ("workers=-1", "workers must be at least 0"),
        ("split=tset", "did you mean 'test'?"),
        ("data.path=absent.h5", "there is no such file"),
        ("checkpoint=absent", "no checkpoint found"),
        ("precision=fp8", "choose from bf16, bfloat16, float32"),
        ("objects=maybe", "choose from auto, never, required"),
        ("device=tpu", "unknown device 'tpu'"),
        ("seed=-1", "seed must be at least 0"),
    ],
)
def test_a_mistake_is_explained_and_leaves_no_trace(
    armillary: Command, checkpoint: Path, episodes: Path, word: str, message: str
) -> None:
    done = armillary(*words(checkpoint, episodes, "output=out"), word)
    assert done.code == 2
    assert message in done.err
    assert not Path("out").exists()


@pytest.mark.parametrize("sizes", [{"image_size": 64}, {"action_size": 3}])
def test_a_model_of_other_data_is_refused(
    armillary: Command, tmp_path: Path, episodes: Path, sizes: dict[str, int]
) -> None:
    other = save_checkpoint(tmp_path / "other", tiny_model(**sizes), step=1)
    done = armillary(*words(other, episodes, "output=out"))
    assert done.code == 2
    assert f"size {next(iter(sizes.values()))}" in done.err
    assert not Path("out").exists()


def frames(count: int, size: int = 32, length: int = 6) -> np.ndarray:
    return np.random.default_rng(0).random((count, length, size, size, 3), np.float32)


def test_bad_videos_are_refused(
    armillary: Command, tmp_path: Path, checkpoint: Path, episodes: Path
) -> None:
    nan, wide = frames(3), frames(3)
    nan[0, 1, 2, 3] = np.nan
    wide[0] *= 999
    cases = [
        ({"imgs": nan}, "leave the range of the split, 0..1: they hold NaN"),
        ({"imgs": wide}, "above 255"),
        ({"imgs": frames(3, size=33), "masks": None}, "image size 33"),
        ({"imgs": frames(3, length=5)}, "must be shaped"),
        ({"imgs": frames(0), "actions": np.zeros((0, 5, 2)), "masks": None}, "is empty"),
        ({"frames": 1}, "none is left to imagine"),
    ]
    for index, (arrays, message) in enumerate(cases):
        data = altered(episodes, tmp_path / f"{index}.h5", **arrays)
        done = armillary(*words(checkpoint, data, "output=out"))
        assert done.code == 2, (arrays.keys(), done.err)
        assert message in done.err


def test_nan_in_weights_beliefs_and_frames_is_named(
    armillary: Command, tmp_path: Path, episodes: Path
) -> None:
    model = tiny_model()
    path = save_checkpoint(tmp_path / "large", model, step=1)
    weights = dict(model.state_dict())
    name = next(name for name, tensor in weights.items() if tensor.ndim > 1)
    for value, code, message in (
        (torch.nan, 2, f"NaN or infinite numbers in 1 of {len(weights)} tensors: {name}"),
        (3e38, 1, "the model sees NaN in video 0"),
    ):
        replace_weights(path, {**weights, name: torch.full_like(weights[name], value)})
        done = armillary(*words(path, episodes, "output=out"))
        assert done.code == code, done.err
        assert message in " ".join(done.err.split())


def test_several_processes_do_not_share_a_gpu(
    armillary: Command, checkpoint: Path, episodes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "resolve_device", lambda name: torch.device("cuda"))
    done = armillary(*words(checkpoint, episodes, "output=out", "workers=2", "device=cuda"))
    assert done.code == 2, done.err
    assert "device=cuda is cuda here; give workers=0, or device=cpu" in done.err
    assert not Path("out").exists()


@pytest.mark.parametrize("kind", ["cpu", "cuda", "mps"])
def test_workers_share_the_cpu_where_the_device_is_left_open(
    kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(evaluate, "resolve_device", lambda name: torch.device(kind))
    config = OmegaConf.create({"workers": 2, "device": "auto", "resume": "auto"})
    assert evaluate._device(config) == ("auto" if kind == "cpu" else "cpu")
    told = f"workers=2 share the processors, so device=auto is the cpu; workers=0 takes {kind}"
    assert caplog.messages == ([] if kind == "cpu" else [told])
    config.workers = 0
    assert evaluate._device(config) == "auto"
    config.workers, config.device = 2, kind
    if kind != "cpu":
        with pytest.raises(UsageError, match="give workers=0, or device=cpu"):
            evaluate._device(config)
