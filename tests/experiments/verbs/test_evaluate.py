"""``armillary evaluate`` measures what it says, goes on after a kill, and explains mistakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from armillary.experiments.evaluation import workers as evaluate_workers
from armillary.experiments.evaluation.store import Store
from armillary.experiments.evaluation.videos import Evaluator, Settings, mean_image
from armillary.experiments.verbs import evaluate
from armillary.world_models.checkpoints.checkpoint import save_checkpoint
from armillary.world_models.data import EpisodeFile, WindowDataset
from armillary.world_models.metrics import adjusted_rand_index, psnr, ssim, ssim_ref
from armillary.world_models.registry import build_model
from armillary.world_models.validation.open_loop import predict
from tests.experiments.conftest import Command
from tests.experiments.tiny import tiny_model

TIERS = ["best", "median", "random", "worst", "mean"]
SMALL = ("rollouts=3", "horizon=4", "split=train")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("model") / "tiny", tiny_model(), step=1)


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take most of the time of a tiny evaluation."""
    monkeypatch.setattr(evaluate, "write_plots", lambda *_: None)
    monkeypatch.setattr(evaluate, "write_examples", lambda *_: [])


@pytest.fixture(scope="module")
def no_masks(episodes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return altered(episodes, tmp_path_factory.mktemp("data") / "no_masks.h5", masks=None)


def altered(episodes: Path, path: Path, frames: int = 6, **arrays: np.ndarray | None) -> Path:
    """The episodes cut to some frames, their arrays replaced, or left out if None."""
    with h5py.File(episodes) as old, h5py.File(path, "w") as new:
        new.attrs.update({k: v for k, v in old.attrs.items()})
        for split in ("train",):
            for name in ("imgs", "actions", "masks"):
                length = frames - (name == "actions")
                values = arrays.get(name, old[f"{split}/{name}"][:3, :length])
                if values is not None:
                    new[f"{split}/{name}"] = values
    return path


def words(checkpoint: Path, data: Path, *more: str) -> list[str]:
    return ["evaluate", f"checkpoint={checkpoint}", f"data.path={data}", *SMALL, *more]


def results(folder: str) -> tuple[dict, dict[str, np.ndarray]]:
    with np.load(f"{folder}/metrics.npz") as arrays:
        return json.loads(Path(folder, "results.json").read_text()), dict(arrays)


def same(one: str, other: str) -> None:
    """The same numbers, up to rounding in batches of another size."""
    a, b = results(one), results(other)
    assert a[1].keys() == b[1].keys()
    for name in a[1]:
        np.testing.assert_allclose(a[1][name], b[1][name], rtol=2e-4, atol=2e-4, err_msg=name)
    assert a[0]["metrics"]["psnr"]["best"]["mean"] == pytest.approx(
        b[0]["metrics"]["psnr"]["best"]["mean"], abs=1e-3
    )


@pytest.fixture(scope="module")
def evaluator(episodes: Path) -> Evaluator:
    split = EpisodeFile(episodes).split("train")
    settings = Settings(2, 4, 3, seed=0, chunk=5, objects=True, precision="float32")
    return Evaluator(tiny_model(), split, settings, mean_image(split), None)


def test_everything_is_written(armillary: Command, checkpoint: Path, episodes: Path) -> None:
    done = armillary(*words(checkpoint, episodes, "videos=3", "output=out", "name=tiny"))
    assert done.code == 0, done.err
    told, arrays = results("out")
    assert (told["videos"], told["rollouts"], told["context"], told["horizon"]) == (3, 3, 2, 4)
    assert arrays["psnr"].shape == arrays["log_likelihood"].shape == (3, 3, 4)
    assert arrays["fg_ari"].shape == (3, 6)
    assert arrays["recall"].shape == (3, 6, 10)
    assert arrays["episodes"].tolist() == [0, 1, 2]
    assert not Path("out/partial").exists()
    for metric, tiers in told["metrics"].items():
        assert list(tiers) == TIERS
        means = [tiers[tier]["mean"] for tier in ("best", "median", "worst")]
        assert means == sorted(means, reverse=True)
        low, high = tiers["best"]["ci95"]
        assert low <= means[0] <= high
        assert len(tiers["best"]["per_frame"]) == len(tiers["best"]["per_frame_ci95"]) == 4
        for kind in ("png", "pdf"):
            assert Path(f"out/plots/{metric}.{kind}").stat().st_size > 1000
    best = arrays["psnr"][range(3), arrays["psnr"].sum(2).argmax(1)]
    assert told["metrics"]["psnr"]["best"]["per_frame"] == pytest.approx(best.mean(0), abs=1e-4)
    assert told["objects"]["fg_ari"]["context"]["mean"] is not None
    assert list(told["objects"]["recall_at"])[::9] == ["0.1", "1"]
    for example in told["examples"]:
        with Image.open(Path("out", example["gif"])) as gif:
            assert gif.n_frames == 6
    assert "PSNR" in done.out
    assert "copy" in done.out


def test_scores_are_those_of_the_metrics(episodes: Path, evaluator: Evaluator) -> None:
    """Rollouts with the video's noise, one by one, without chunks."""
    model = tiny_model()
    window = evaluator.window([4])
    state = model.encode(window.frames[:, :2], window.actions[:, :1])
    noise = evaluator._noise(4)
    truth = window.frames[0, 2:]
    found = evaluator.scores([4])[0]
    frames = []
    with torch.no_grad():
        for s in range(3):
            future = model.rollout(state, window.actions[:, 1:], noise[s : s + 1])
            scene = model.decode(future.flatten(2))
            frames.append(scene.frames)
            likelihood = model.log_likelihood(scene, truth).numpy()
            np.testing.assert_allclose(found["log_likelihood"][s], likelihood, rtol=1e-4)
    imagined = torch.stack(frames)
    for name, metric in (("psnr", psnr), ("ssim", ssim), ("ssim_ref", ssim_ref)):
        np.testing.assert_allclose(found[name], metric(imagined, truth), atol=1e-4)
        copied = metric(window.frames[0, 1:2].expand_as(truth), truth).clamp_max(54.2)
        np.testing.assert_allclose(found[f"copy_last_frame/{name}"], copied, atol=0.1)
    spread = imagined.std(0, correction=0).mean((-1, -2, -3))
    np.testing.assert_allclose(found["spread"], spread, atol=1e-5)
    expected = adjusted_rand_index(window.labels, predict(model, window, 2).labels)
    np.testing.assert_allclose(found["fg_ari"], expected[0], atol=1e-4)
    assert found["psnr"].std(0).min() > 0, "rollouts differ"


def test_a_video_has_its_scores_whoever_shares_its_batch(evaluator: Evaluator) -> None:
    together, alone = evaluator.scores([3, 0, 5])[1], evaluator.scores([0])[0]
    for name in alone:
        np.testing.assert_allclose(together[name], alone[name], rtol=1e-4, atol=1e-4)


def test_the_mean_image_is_that_of_all_frames(episodes: Path) -> None:
    split = EpisodeFile(episodes).split("train")
    frames = WindowDataset(split, split.length).batch(range(len(split))).to_window().frames
    torch.testing.assert_close(mean_image(split), frames.mean((0, 1)), atol=1e-5, rtol=0)


@pytest.mark.usefixtures("without_pictures")
def test_workers_and_batches_do_not_matter(
    armillary: Command, checkpoint: Path, episodes: Path
) -> None:
    few = ("rollouts=2", "videos=4")
    assert armillary(*words(checkpoint, episodes, *few, "output=one", "batch=3")).code == 0
    more = ("output=two", "workers=2", "threads=1", "batch=2", "chunk=3")
    done = armillary(*words(checkpoint, episodes, *few, *more))
    assert done.code == 0, done.err
    same("one", "two")


@pytest.mark.usefixtures("without_pictures")
def test_an_interrupted_evaluation_goes_on(
    armillary: Command, checkpoint: Path, episodes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert armillary(*words(checkpoint, episodes, "rollouts=2", "output=whole")).code == 0
    measured: list[int] = []
    scores = Evaluator.scores

    def spy(self: Evaluator, videos: list[int]) -> list:
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.extend(videos)
        return scores(self, videos)

    with monkeypatch.context() as patch:
        patch.setattr(Evaluator, "scores", spy)
        assert (
            armillary(*words(checkpoint, episodes, "rollouts=2", "output=cut", "batch=1")).code
            == 130
        )
    Path("cut/partial/000001.npz").write_bytes(b"half")
    other = armillary(*words(checkpoint, episodes, "rollouts=2", "output=cut", "seed=1"))
    assert other.code == 2
    assert "seed is 0 there and 1 here" in other.err
    never = armillary(*words(checkpoint, episodes, "rollouts=2", "output=cut", "resume=never"))
    assert "resume=auto" in never.err
    done = armillary(*words(checkpoint, episodes, "rollouts=2", "output=cut", "batch=4"))
    assert done.code == 0, done.err
    assert "1 of 6 videos are finished already" in done.err
    same("whole", "cut")


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_evaluation_goes_on_and_leaves_no_process(
    tmp_path: Path, armillary: Command, checkpoint: Path, episodes: Path
) -> None:
    more = ("output=out", "rollouts=20", "batch=1", "workers=1", "threads=1")
    command = [
        sys.executable,
        "-m",
        "armillary.experiments.cli",
        *words(checkpoint, episodes, *more),
    ]
    root = Path(__file__).parents[3]
    process = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(root)})
    deadline = time.monotonic() + 60
    while not (tmp_path / "out/partial/000000.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(1.0)
    kept = sorted((tmp_path / "out/partial").glob("0*.npz"))
    assert kept
    time.sleep(1.0)
    assert sorted((tmp_path / "out/partial").glob("0*.npz")) == kept, "workers went on"
    done = armillary(*words(checkpoint, episodes, *more[:3]))
    assert done.code == 0, done.err
    assert len(kept) == 6 or "finished already" in done.err


@pytest.mark.usefixtures("without_pictures")
def test_a_finished_evaluation_is_shown_again(
    armillary: Command, checkpoint: Path, episodes: Path
) -> None:
    short = words(checkpoint, episodes, "videos=1", "output=out")
    first, again = armillary(*short), armillary(*short)
    assert (first.code, again.code) == (0, 0)
    assert again.out == first.out
    assert "finished already" in again.err
    assert json.loads(Path("out/results.json").read_text())["metrics"]["psnr"]["best"]["ci95"] == [
        None,
        None,
    ]
    Path("out/results.json").write_text("{")
    damaged = armillary(*short)
    assert damaged.code == 2
    assert "is damaged" in damaged.err


def test_a_worker_that_dies_is_told(
    armillary: Command, checkpoint: Path, episodes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate_workers, "_start", os._exit)  # refuses its argument
    done = armillary(*words(checkpoint, episodes, "output=out", "workers=1", "batch=1"))
    assert done.code == 1
    assert "a worker process died" in done.err


@pytest.mark.usefixtures("without_pictures")
def test_data_without_masks_has_no_object_metrics(
    armillary: Command, checkpoint: Path, no_masks: Path
) -> None:
    done = armillary(*words(checkpoint, no_masks, "videos=1", "output=out"))
    assert done.code == 0, done.err
    told, arrays = results("out")
    assert told["objects"] is None
    assert "fg_ari" not in arrays
    asked = armillary(*words(checkpoint, no_masks, "objects=required", "output=asked"))
    assert asked.code == 2
    assert "has none" in asked.err


@pytest.mark.usefixtures("without_pictures")
def test_lpips_is_measured_by_the_users_module(
    armillary: Command, checkpoint: Path, episodes: Path
) -> None:
    class Distance(torch.nn.Module):
        def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
            return (one - other).square().mean((1, 2, 3), keepdim=True)

    torch.jit.trace(Distance(), (torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8))).save("lpips.pt")
    more = ("videos=2", "output=out", "lpips=lpips.pt")
    done = armillary(*words(checkpoint, episodes, *more))
    assert done.code == 0, done.err
    told, arrays = results("out")
    np.testing.assert_allclose(arrays["lpips"], 4 * 10 ** (-arrays["psnr"] / 10), rtol=1e-3)
    lpips = told["metrics"]["lpips"]
    assert lpips["best"]["mean"] <= lpips["worst"]["mean"], "lower is better"
    assert "LPIPS" in done.out


def test_a_store_holds_one_video_at_a_time(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.begin({"a": 1})
    for video in range(3):
        store.put(video, {"psnr": np.full((2, 4), video, np.float32)})
    store.gather(tmp_path / "all.npz", range(3), {"episodes": np.arange(3)})
    with np.load(tmp_path / "all.npz") as arrays:
        assert arrays["psnr"][:, 1, 2].tolist() == [0, 1, 2]
        assert arrays["psnr"].dtype == np.float32


def test_an_action_free_model_is_evaluated_on_data_with_actions(
    armillary: Command, tmp_path: Path, episodes: Path
) -> None:
    model = build_model("vrnn", image_size=32, action_size=0, latent_size=2, hidden=4)
    saved = save_checkpoint(tmp_path / "vrnn", model, step=1)
    more = ("rollouts=2", "videos=1", "horizon=2", "output=free")
    done = armillary("evaluate", f"checkpoint={saved}", f"data.path={episodes}", *more)
    assert done.code == 0, done.err
    assert json.loads(Path("free/results.json").read_text())["rollouts"] == 2
