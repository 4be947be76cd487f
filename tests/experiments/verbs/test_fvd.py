"""``armillary fvd`` measures populations of videos, and refuses what cannot be compared."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from armillary.experiments.realism.i3d import I3D
from armillary.world_models.checkpoints.checkpoint import save_checkpoint
from armillary.world_models.metrics import frechet_distance_of_features
from tests.experiments.conftest import Command
from tests.experiments.realism.stand_in_i3d import (
    FEATURES,
    ReturnsNaN,
    StandIn,
    WithoutOptions,
    save,
)
from tests.experiments.realism.video_files import random_videos, write
from tests.experiments.tiny import tiny_model

COUNT = 48


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(StandIn(), tmp_path_factory.mktemp("weights") / "i3d.pt")


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Videos of two distributions: the second ones are darker."""
    write(tmp_path / "real.h5", random_videos(COUNT))
    write(tmp_path / "made.h5", (random_videos(COUNT, seed=1) * 0.8).astype(np.uint8))
    return "real.h5", "made.h5"


def results(output: str) -> dict:
    return json.loads(Path(output, "results.json").read_text())


def test_the_distance_is_that_of_the_networks_features(
    armillary: Command, files: tuple[str, str], weights: Path
) -> None:
    done = armillary("fvd", *files, f"weights={weights}", "output=out", "batch=7")
    assert done.code == 0, done.err
    told = results("out")
    i3d = I3D(weights, torch.device("cpu"))
    made = (random_videos(COUNT, seed=1) * 0.8).astype(np.uint8)
    a, b = (
        i3d.features(torch.from_numpy(videos).float()) for videos in (random_videos(COUNT), made)
    )
    fvd = told["distances"]["fvd"]
    assert fvd["mean"] == pytest.approx(float(frechet_distance_of_features(a, b)), rel=1e-4)
    assert fvd["per_population"] == [fvd["mean"]]
    assert fvd["std"] is None
    assert fvd["feature_size"] == FEATURES
    digest = sha256(weights.read_bytes()).hexdigest()
    assert fvd["network"] == {"weights": str(weights), "sha256": digest}
    assert f"FVD: weights {weights}, sha256 {digest}" in done.out
    assert (told["populations"], told["videos"]) == (1, {"real": COUNT, "generated": COUNT})
    assert (told["frames"], told["image_size"]) == (10, [32, 32])
    assert {"config", "commit", "versions", "files"} <= set(told)
    assert "slot_frechet_distance" not in told["distances"]


def test_videos_of_one_distribution_are_nearer_than_those_of_two(
    armillary: Command, files: tuple[str, str], weights: Path, tmp_path: Path
) -> None:
    write(tmp_path / "more.h5", random_videos(COUNT, seed=2))
    distances = []
    for name in ("real.h5", "more.h5", files[1]):
        output = f"to-{name}"
        done = armillary("fvd", files[0], name, f"weights={weights}", f"output={output}")
        assert done.code == 0, done.err
        distances.append(results(output)["distances"]["fvd"]["mean"])
    assert distances[0] == pytest.approx(0, abs=1e-6 * distances[2])
    assert distances[0] < distances[1] < 0.5 * distances[2]


def test_mean_and_spread_over_populations_of_one_file(
    armillary: Command, files: tuple[str, str], weights: Path
) -> None:
    more = ("populations=2", "videos=20", f"weights={weights}")
    done = armillary("fvd", *files, *more, "output=out")
    assert done.code == 0, done.err
    fvd = results("out")["distances"]["fvd"]
    assert len(set(fvd["per_population"])) == 2
    assert fvd["mean"] == pytest.approx(np.mean(fvd["per_population"]))
    assert fvd["std"] == pytest.approx(np.std(fvd["per_population"], ddof=1))
    assert "rank-deficient" in done.err
    assert "2 populations of 20 real and 20 generated videos" in " ".join(done.out.split())


def test_one_file_for_each_population(
    armillary: Command, files: tuple[str, str], weights: Path, tmp_path: Path
) -> None:
    write(tmp_path / "real2.h5", random_videos(COUNT, seed=3))
    write(tmp_path / "made2.h5", random_videos(COUNT, seed=4))
    lists = (f"real=[{files[0]},real2.h5]", f"generated=[{files[1]},made2.h5]")
    done = armillary("fvd", *lists, f"weights={weights}", "output=out")
    assert done.code == 0, done.err
    told = results("out")
    assert told["populations"] == 2
    first, second = told["distances"]["fvd"]["per_population"]
    assert first > second
    same = (f"real=[{files[0]},{files[0]}]", f"generated=[{files[1]},made2.h5]")
    told = armillary("fvd", *same, f"weights={weights}", "output=x")
    assert told.code == 2
    assert "a list of different files" in told.err


def test_slot_frechet_distance_needs_no_weights_and_is_not_called_fvd(
    armillary: Command, files: tuple[str, str], tmp_path: Path
) -> None:
    run = save_checkpoint(tmp_path / "tiny", tiny_model(), step=1)
    done = armillary("fvd", *files, f"checkpoint={run}", "output=out")
    assert done.code == 0, done.err
    assert "slot Frechet" in done.out
    assert "FVD" not in done.out
    (name,) = told = results("out")["distances"]
    assert name == "slot_frechet_distance"
    assert told[name]["network"]["checkpoint"] == str(run)
    same = armillary("fvd", "real.h5", "real.h5", f"checkpoint={run}", "output=same")
    assert same.code == 0, same.err
    nothing = results("same")["distances"]["slot_frechet_distance"]["mean"]
    assert nothing <= 1e-6 * told[name]["mean"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to measure with. FVD's network is not part of this package"),
        (["weights=absent.pt"], "weights=absent.pt: there is no such file. FVD's network"),
        (["weights=real.h5"], "weights=real.h5: is no TorchScript file"),
        (["weights=other.pt"], "weights=other.pt is not I3D"),
        (["weights=nan.pt"], "the features of video 0 are NaN or infinite"),
        (["checkpoint=absent"], "no checkpoint found"),
        (["weights=i3d.pt", "videos=15"], "needs at least 16 samples in each set"),
        (["weights=i3d.pt", "videos=49"], "real.h5 has 48 videos, too few for 1 populations of 49"),
        (["weights=i3d.pt", "populations=0"], "populations must be at least 1"),
        (["weights=i3d.pt", "batch=0"], "batch must be at least 1"),
        (["weights=i3d.pt", "third.h5"], "'third.h5' is one word too many"),
        (["weights=i3d.pt", "wieghts=x"], "did you mean 'weights'"),
    ],
)
def test_a_mistake_is_explained_and_leaves_no_trace(
    armillary: Command,
    files: tuple[str, str],
    weights: Path,
    tmp_path: Path,
    words: list[str],
    message: str,
) -> None:
    (tmp_path / "i3d.pt").write_bytes(weights.read_bytes())
    save(WithoutOptions(), tmp_path / "other.pt")
    save(ReturnsNaN(), tmp_path / "nan.pt")
    told = armillary("fvd", *files, *words, "output=out")
    assert told.code == 2
    assert message in told.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("videos", "message"),
    [
        (random_videos(COUNT, frames=9), "all videos must have the same frames"),
        (random_videos(COUNT, size=16), "all videos must have the same frames"),
        (random_videos(COUNT)[:, :1], "at least 2 frames each, got 1"),
        (random_videos(COUNT) / 255, "use the range 0..255"),
        (np.where(random_videos(COUNT) == 200, np.nan, 3.0), "without NaN"),
    ],
    ids=["length", "size", "one frame", "range", "NaN"],
)
def test_other_videos_are_refused(
    armillary: Command,
    files: tuple[str, str],
    weights: Path,
    tmp_path: Path,
    videos: np.ndarray,
    message: str,
) -> None:
    write(tmp_path / "odd.h5", videos)
    told = armillary("fvd", files[0], "odd.h5", f"weights={weights}", "output=out")
    assert told.code == 2
    assert "odd.h5" in told.err
    assert message in told.err
    assert not (tmp_path / "out").exists()


def test_videos_too_short_for_the_network_are_told_how_long(
    armillary: Command, weights: Path, tmp_path: Path
) -> None:
    for name in ("a.h5", "b.h5"):
        write(tmp_path / name, random_videos(16, seed=len(name), frames=5))
    told = armillary("fvd", "a.h5", "b.h5", f"weights={weights}", "output=out")
    assert told.code == 2
    assert "the network needs videos of at least 9 frames, got 5" in told.err


def test_help_shows_the_words_by_position(armillary: Command) -> None:
    shown = armillary("fvd", "--help").out
    assert "usage: armillary fvd REAL GENERATED [key=value ...]" in shown
    assert "positional" not in shown
    assert "positional" not in armillary("fvd", "a", "b", "--cfg", "job").out
