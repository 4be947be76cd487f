"""What the documents speak of and a test cannot have: small files in the same formats."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import torch

from armillary.experiments.cli import main
from tests.experiments.realism.stand_in_i3d import LEAST_FRAMES, StandIn
from tests.world_models.data.sources.records import write_bair


def provide(word: str, folder: Path, cache: Path) -> None:
    """Puts what a word names into a folder, unless it is there or is not ours to provide."""
    name = word.strip("/")
    if name not in _MAKERS or (folder / name).exists():
        return
    made = cache / name
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        _MAKERS[name](made)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    copy = shutil.copytree if made.is_dir() else shutil.copy
    copy(made, folder / name)


def _collect(*more: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        words = ["collect", "episodes=12", "length=14", "val=0.25", "test=0.25", "workers=0", *more]
        assert main([*words, f"out={path}", f"output={path}-run"]) == 0

    return make


def _train(path: Path) -> None:
    data = path.parent / "trained-on.h5"
    _collect()(data)
    words = ["train", f"data.path={data}", "trainer.max_steps=2", "trainer.batch_size=2"]
    assert main([*words, "trainer.validation_clips=1", f"output={path}"]) == 0


def _towel(path: Path) -> None:
    """As the authors distribute it: [T, N, H, W, C], no attributes."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for split, episodes in (("train", 6), ("val", 3), ("test", 4)):
            group = file.create_group(split)
            group["imgs"] = rng.integers(0, 256, (15, episodes, 64, 64, 3), dtype=np.uint8)
            group["actions"] = rng.normal(size=(14, episodes, 4)).astype(np.float32)


def _authors(path: Path) -> None:
    fixture = Path(__file__).parents[1] / "parity" / "fixtures" / "ssm_train_IIUU_S4_before.npz"
    arrays = np.load(fixture)
    names = [name for name in arrays.files if name.startswith("param/")]
    weights = {f"module.{name[6:]}": torch.from_numpy(arrays[name]) for name in names}
    torch.save({"step": 1, "model": weights}, path)


def _i3d(path: Path) -> None:
    clip = torch.rand(1, 3, LEAST_FRAMES, 16, 16)
    torch.jit.script(StandIn().eval()).save(str(path))
    assert torch.jit.load(str(path))(clip) is not None


def _towel_run(path: Path) -> None:
    data = path.parent / "towel-trained-on.h5"
    _towel(data)
    words = ["train", "experiment=push_blocks/slot_dynamics_quick", f"data.path={data}"]
    words += ["trainer.max_steps=2", "trainer.batch_size=2", "trainer.validation_clips=1"]
    assert main([*words, f"output={path}"]) == 0


class Lpips(torch.nn.Module):
    """Takes the calls of the ``lpips`` package's module: a distance per pair of images."""

    def __init__(self, net: str) -> None:
        super().__init__()
        self.net = net

    def forward(self, pred: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) twice -> (N, 1, 1, 1)."""
        return (pred - true).square().mean((1, 2, 3), keepdim=True)


def _bair(path: Path) -> None:
    write_bair(path)


_MAKERS: dict[str, Callable[[Path], None]] = {
    "push.h5": _collect(),
    "push6k.h5": _collect(),
    "episodes.h5": _collect(),
    "noisy.h5": _collect("task=push_blocks_noisy"),
    "towel.h5": _towel,
    "bair_robot_pushing_dataset_v0": _bair,
    "authors.pth": _authors,
    "i3d_torchscript.pt": _i3d,
    "runs/push": _train,
    "runs/towel": _towel_run,
}
