"""``armillary generate`` writes a whole file of videos, or a clear error and nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from armillary.experiments.realism import generation
from armillary.experiments.realism.video_file import VideoFile
from armillary.world_models.checkpoints.checkpoint import save_checkpoint
from tests.experiments.conftest import Command
from tests.experiments.tiny import tiny_model


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("model") / "tiny", tiny_model(), step=1)


def words(checkpoint: Path | str, episodes: Path, *more: str) -> list[str]:
    start = ["generate", f"checkpoint={checkpoint}", f"data.path={episodes}", "split=train"]
    return [*start, *more]


def test_a_file_of_imagined_videos(armillary: Command, checkpoint: Path, episodes: Path) -> None:
    extras = ("slots=true", "masks=true", "ground_truth=true", "rollouts=2", "videos=3", "batch=4")
    done = armillary(*words(checkpoint, episodes, "output=out/x.h5", "seed=5", *extras))
    assert done.code == 0, done.err
    assert "out/x.h5  videos [6, 10, 32, 32, 3] uint8" in done.out
    with h5py.File("out/x.h5") as file:
        assert file["videos"].shape == file["ground_truth"].shape == (6, 10, 32, 32, 3)
        assert file["slots"].shape[:3] == (6, 10, 3)
        assert file["masks"].shape == (6, 10, 3, 32, 32)
        assert file["rollout"][()].tolist() == [0, 1] * 3
    told = VideoFile(Path("out/x.h5")).attributes
    assert (told["format"], told["model"]) == ("armillary-videos", "slot_dynamics")
    assert (told["context"], told["horizon"], told["context_frames"]) == (2, 8, "reconstructed")
    assert (told["checkpoint"], told["data"]) == (str(checkpoint), str(episodes))
    assert told["seed"] == 5
    assert told["commit"]
    assert sorted(p.name for p in Path("out").iterdir()) == ["x.h5", "x.h5-run"]
    record = json.loads(Path("out/x.h5-run/run.json").read_text())
    assert (record["verb"], record["status"], record["seed"]) == ("generate", "finished", 5)
    found = json.loads(Path("out/x.h5-run/results.json").read_text())
    assert (found["videos"], found["arrays"]["videos"]) == (6, "[6, 10, 32, 32, 3] uint8")


def test_real_populations_differ_by_seed(armillary: Command, episodes: Path) -> None:
    populations = []
    for seed in (0, 1, 0):
        output = f"{len(populations)}.h5"
        done = armillary(
            *words("ground_truth", episodes, f"output={output}", f"seed={seed}", "videos=4")
        )
        assert done.code == 0, done.err
        with h5py.File(output) as file:
            populations.append({video.tobytes() for video in file["videos"][()]})
            assert file.attrs["model"] == b"ground_truth"
    assert len(populations[0]) == 4
    assert populations[0] == populations[2]
    assert populations[0] != populations[1]


def test_a_killed_command_goes_on_where_it_was(
    armillary: Command, checkpoint: Path, episodes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ("videos=6", "batch=2", "horizon=3")
    assert armillary(*words(checkpoint, episodes, "output=whole.h5", *more)).code == 0
    make, made = generation.Imagined.make, []

    def killed(self: generation.Imagined, rows: np.ndarray) -> generation.Arrays:
        if 4 in rows and not any(4 in done for done in made):
            made.append(rows)
            raise KeyboardInterrupt
        made.append(rows)
        return make(self, rows)

    monkeypatch.setattr(generation.Imagined, "make", killed)
    assert armillary(*words(checkpoint, episodes, "output=x.h5", *more)).code == 130
    assert not Path("x.h5").exists()
    made.append(np.array([4]))
    before = len(made)
    again = armillary(*words(checkpoint, episodes, "output=x.h5", *more))
    assert again.code == 0, again.err
    assert "going on after 4 of 6 videos" in again.err
    assert [rows.tolist() for rows in made[before:]] == [[0], [4, 5]], "a probe, then the rest"
    with h5py.File("x.h5") as file, h5py.File("whole.h5") as whole:
        assert set(file) == set(whole)
        for name in file:
            assert np.array_equal(file[name][()], whole[name][()])
    finished = armillary(*words(checkpoint, episodes, "output=x.h5", *more))
    assert (finished.code, "finished already: x.h5" in finished.err) == (0, True)
    assert armillary(*words(checkpoint, episodes, "output=x.h5", "videos=5", *more[1:])).code == 2


def test_the_same_command_gives_the_same_bytes(armillary: Command, episodes: Path) -> None:
    same = words("ground_truth", episodes, "horizon=2")
    assert armillary(*same, "output=a.h5").code == 0
    time.sleep(1.1 - time.time() % 1)  # HDF5 would note the second
    assert armillary(*same, "output=b.h5").code == 0
    assert Path("a.h5").read_bytes() == Path("b.h5").read_bytes()


def test_a_file_is_kept_unless_overwritten(armillary: Command, episodes: Path) -> None:
    real = words("ground_truth", episodes, "output=x.h5", "horizon=2")
    assert armillary(*real).code == 0
    before = Path("x.h5").read_bytes()
    told = armillary(*real, "seed=1")
    assert told.code == 2
    assert "output=x.h5 exists; choose another file or add overwrite=true" in told.err
    assert Path("x.h5").read_bytes() == before
    assert armillary(*real, "seed=1", "overwrite=true").code == 0
    assert Path("x.h5").read_bytes() != before


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("rollouts=0", "rollouts must be at least 1"),
        ("context=0", "context must be at least 1"),
        ("horizon=0", "horizon must be at least 1"),
        ("horizon=13", "windows of 15 frames"),
        ("batch=0", "batch must be at least 1"),
        ("videos=0", "videos must be in 1..30: 6 episodes have 5 clips"),
        ("videos=31", "videos must be in 1..30"),
        ("split=tset", "did you mean 'test'"),
        ("data.path=absent.h5", "there is no such file"),
        ("checkpoint=absent", "no checkpoint found"),
        ("context_frames=record", "did you mean 'recorded'"),
        ("device=gpu", "unknown device 'gpu'"),
        ("output=.", "is a directory"),
    ],
)
def test_a_mistake_is_explained_and_leaves_no_trace(
    armillary: Command, tmp_path: Path, checkpoint: Path, episodes: Path, word: str, message: str
) -> None:
    told = armillary(*words(checkpoint, episodes, "output=x.h5", "record=run", word))
    assert told.code == 2
    assert message in told.err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("rollouts=2", "real clips have one future"),
        ("masks=true", "masks=true needs a model"),
    ],
)
def test_real_videos_have_no_imagination(
    armillary: Command, episodes: Path, word: str, message: str
) -> None:
    told = armillary(*words("ground_truth", episodes, "output=x.h5", word))
    assert told.code == 2
    assert message in told.err


@pytest.mark.parametrize(
    ("sizes", "message"),
    [({"image_size": 64}, "image size 64"), ({"action_size": 3}, "action size 3")],
)
def test_a_model_of_other_data_is_refused(
    armillary: Command, tmp_path: Path, episodes: Path, sizes: dict[str, int], message: str
) -> None:
    other = save_checkpoint(tmp_path / "other", tiny_model(**sizes), step=1)
    told = armillary(*words(other, episodes, "output=x.h5"))
    assert told.code == 2
    assert message in told.err
    assert not Path("x.h5").exists()


def test_files_without_actions_serve_models_without_actions(
    armillary: Command, tmp_path: Path, episodes: Path
) -> None:
    with h5py.File(episodes) as file, h5py.File("frames.h5", "w") as frames:
        frames.attrs.update(file.attrs)
        for split in file:
            frames[f"{split}/imgs"] = file[split]["imgs"][()]
    free = save_checkpoint(tmp_path / "free", tiny_model(action_size=0), step=1)
    for source in (free, "ground_truth"):
        output = f"{Path(source).name}.h5"
        done = armillary(*words(source, Path("frames.h5"), f"output={output}"))
        assert done.code == 0, done.err
        with h5py.File(output) as file:
            assert file["videos"].shape == (6, 10, 32, 32, 3)
    told = armillary("fvd", "ground_truth.h5", "free.h5", f"checkpoint={free}", "output=out")
    assert "needs at least 26 samples" in told.err
