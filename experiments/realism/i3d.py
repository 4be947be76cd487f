"""The feature network of the Frechet video distance: a TorchScript I3D that the user supplies."""

from __future__ import annotations

from hashlib import file_digest
from pathlib import Path

import torch
from torch import Tensor

from armillary.experiments.command.errors import UsageError
from armillary.suggestions import listed, suggest
from armillary.torchscript.network import load

WHERE = (
    "FVD's network is not part of this package and is never downloaded: get i3d_torchscript.pt, "
    "which the StyleGAN-V authors distribute (I3D trained on Kinetics-400; github.com/universome/"
    "fvd-comparison names the place), and give its path as weights=PATH"
)
_OPTIONS = ("rescale", "resize", "return_features")
_ENOUGH_FRAMES = 16
_CALL_FAILED = (RuntimeError, torch.jit.Error)


class I3D:
    """Features of whole videos, as the field's FVD measures them.

    The network is called as ``network(x, rescale=True, resize=True, return_features=True)`` on x
    (N, 3, T, H, W) in 0..255; it scales the values and resizes the frames to 224 x 224 itself
    (StyleGAN-V, Skorokhodov et al., 2022; I3D, Carreira and Zisserman, 2017).

    Args:
        path: of the TorchScript file.
        device: where it runs.

    Attributes:
        sha256: of the file, hexadecimal.

    Raises:
        UsageError: there is no such file, or it is no network that takes this call.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        if not path.is_file():
            raise UsageError(f"weights={path}: there is no such file. {WHERE}")
        with open(path, "rb") as file:
            self.sha256 = file_digest(file, "sha256").hexdigest()
        try:
            name = f"weights={path}"
            network = load(path, device, name, "is no TorchScript file", UsageError)
        except UsageError as error:
            raise UsageError(f"{error}. {WHERE}") from error
        try:
            schema = network.forward.schema  # pyright: ignore[reportFunctionMemberAccess]
            taken = [argument.name for argument in schema.arguments][1:]
        except AttributeError:  # a TorchScript file may have no forward
            taken = []
        missing = [name for name in _OPTIONS if name not in taken]
        if missing:
            raise UsageError(
                f"weights={path} is not I3D: its call has no option {missing[0]!r}; "
                f"{suggest(missing[0], taken)}. {WHERE}"
            )
        broken = [name for name, tensor in network.state_dict().items() if tensor.isnan().any()]
        if broken:
            raise UsageError(f"weights={path} holds NaN in {listed(broken)}. {WHERE}")
        self._path = path
        self._network = network
        self._device = device

    def features(self, videos: Tensor) -> Tensor:
        """(N, F) features of videos (N, T, H, W, 3) in 0..255.

        Raises:
            UsageError: the videos are too short for the network, or it returns something else.
        """
        try:
            found = self._call(videos)
        except _CALL_FAILED as error:
            raise UsageError(self._explained(videos, error)) from error
        shape = tuple(found.shape) if isinstance(found, Tensor) else ()
        if len(shape) != 2 or shape[0] != len(videos) or not found.is_floating_point():
            raise UsageError(
                f"weights={self._path} is not I3D: for {len(videos)} videos it must return "
                f"features ({len(videos)}, F), got {type(found).__name__} {shape}. {WHERE}"
            )
        return found

    def _call(self, videos: Tensor) -> Tensor:
        inputs = videos.permute(0, 4, 1, 2, 3).contiguous().float().to(self._device)
        with torch.no_grad():
            return self._network(inputs, rescale=True, resize=True, return_features=True)

    def _explained(self, videos: Tensor, error: Exception) -> str:
        """Whether the network refuses these videos for their length, found by trying others."""
        reason = str(error).strip().splitlines()[-1]
        length = videos.shape[1]
        for longer in range(length + 1, _ENOUGH_FRAMES + 1):
            try:
                self._call(videos[:1, :1].expand(-1, longer, -1, -1, -1))
            except _CALL_FAILED:
                continue
            return (
                f"the network needs videos of at least {longer} frames, got {length}: generate "
                "longer ones, for example with horizon=14"
            )
        return (
            f"weights={self._path} does not take videos {tuple(videos.shape)} ({reason}). {WHERE}"
        )
