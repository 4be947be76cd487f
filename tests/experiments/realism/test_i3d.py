"""FVD's network is called as the field calls it, and what is not it is refused with help."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from armillary.experiments.command.errors import UsageError
from armillary.experiments.realism.i3d import I3D
from tests.experiments.realism.stand_in_i3d import (
    FEATURES,
    AlwaysFails,
    NotPerVideo,
    StandIn,
    WithoutForward,
    WithoutOptions,
    save,
)
from tests.experiments.realism.video_files import random_videos

CPU = torch.device("cpu")


def videos(count: int = 3, frames: int = 10) -> Tensor:
    return torch.from_numpy(random_videos(count, frames=frames)).float()


def test_features_are_those_of_the_documented_call(tmp_path: Path) -> None:
    path = save(StandIn(), tmp_path / "i3d.pt")
    i3d = I3D(path, CPU)
    shown = videos()
    channels_first = shown.permute(0, 4, 1, 2, 3)
    expected = StandIn()(channels_first, rescale=True, resize=True, return_features=True)
    assert expected.shape == (3, FEATURES)
    torch.testing.assert_close(i3d.features(shown), expected)
    assert i3d.sha256 == sha256(path.read_bytes()).hexdigest()


def test_videos_that_are_too_short_are_told_the_least_length(tmp_path: Path) -> None:
    i3d = I3D(save(StandIn(), tmp_path / "i3d.pt"), CPU)
    assert len(i3d.features(videos(frames=9))) == 3
    with pytest.raises(UsageError, match="needs videos of at least 9 frames, got 8"):
        i3d.features(videos(frames=8))


def missing(path: Path) -> Path:
    return path


def text(path: Path) -> Path:
    path.write_text("weights")
    return path


def state_dict(path: Path) -> Path:
    torch.save(StandIn().state_dict(), path)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (missing, "there is no such file"),
        (text, r"is no TorchScript file \("),
        (state_dict, r"is no TorchScript file \("),
    ],
)
def test_other_files_are_refused(
    tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as told:
        I3D(make(tmp_path / "i3d.pt"), CPU)
    assert "get i3d_torchscript.pt" in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (WithoutOptions(), "is not I3D: its call has no option 'rescale'"),
        (WithoutForward(), "is not I3D: its call has no option 'rescale'"),
        (NotPerVideo(), r"for 3 videos it must return features \(3, F\), got Tensor \(3, 3, 10"),
        (AlwaysFails(), r"does not take videos \(3, 10, 32, 32, 3\).*one channel is enough"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_networks_are_refused(tmp_path: Path, network: nn.Module, message: str) -> None:
    with pytest.raises(UsageError, match=message) as told:
        I3D(save(network, tmp_path / "i3d.pt"), CPU).features(videos())
    assert "get i3d_torchscript.pt" in str(told.value)


def test_weights_that_are_nan_are_named(tmp_path: Path) -> None:
    network = StandIn()
    network.get_buffer("weights")[0] = torch.nan
    with pytest.raises(UsageError, match="holds NaN in weights"):
        I3D(save(network, tmp_path / "i3d.pt"), CPU)


def test_a_network_that_asks_for_more_than_its_file_is_refused(tmp_path: Path) -> None:
    path = save(StandIn(), tmp_path / "i3d.pt")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(10**7))
    with pytest.raises(UsageError, match="promise"):
        I3D(path, CPU)
