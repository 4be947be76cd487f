"""What a command may not replace: its input, by any name, and what is no regular file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from armillary.errors import ArmillaryError
from armillary.experiments.running.outputs import reserved
from armillary.locks import is_locked


def settings(output: Path, **inputs: object) -> DictConfig:
    return OmegaConf.create({"output": str(output), "record": f"{output}-run", **inputs})


@pytest.mark.parametrize("name", ["d.h5", "folder/../d.h5", "link.h5", "hard.h5"])
def test_no_input_is_replaced_by_any_name(tmp_path: Path, name: str) -> None:
    data = tmp_path / "d.h5"
    data.write_text("precious")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.h5").symlink_to(data)
    os.link(data, tmp_path / "hard.h5")
    for inputs in ({"data": {"path": str(data)}}, {"real": ["x.h5", str(data)]}):
        told = "is the file that .* reads"
        with (
            pytest.raises(ArmillaryError, match=told),
            reserved(settings(tmp_path / name, **inputs), ""),
        ):
            pytest.fail("work was begun")


def test_no_file_of_a_checkpoint_that_is_read_is_replaced(tmp_path: Path) -> None:
    weights = tmp_path / "run" / "checkpoints" / "last" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.touch()
    config = settings(weights, checkpoint=str(tmp_path / "run"))
    with pytest.raises(ArmillaryError, match="checkpoint="), reserved(config, ""):
        pytest.fail("work was begun")
    with reserved(settings(tmp_path / "run" / "new.h5", checkpoint=str(tmp_path / "run")), ""):
        assert is_locked(tmp_path / "run" / "new.h5")


@pytest.mark.parametrize("kind", ["pipe", "device", "link to a device"])
def test_only_regular_files_are_replaced(tmp_path: Path, kind: str) -> None:
    place = Path(os.devnull) if kind == "device" else tmp_path / "place"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "link to a device":
        place.symlink_to(os.devnull)
    with (
        pytest.raises(ArmillaryError, match="no regular file"),
        reserved(settings(place), ""),
    ):
        pytest.fail("work was begun")
