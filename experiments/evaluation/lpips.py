"""LPIPS (Zhang et al., 2018) by a TorchScript module that the user supplies."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from armillary.experiments.command.errors import UsageError
from armillary.torchscript.network import load

_HELP = (
    "lpips must name a TorchScript module that takes two float tensors (N, 3, H, W) in -1..1 and "
    "returns N distances; with the lpips package: torch.jit.trace(lpips.LPIPS(net='alex').eval(), "
    "(x, y)).save('lpips.pt')"
)


class PerceptualDistance:
    """Measures LPIPS, lower is better.

    Args:
        path: of the TorchScript file.
        image_size: H = W of the images to come.
        device: where it runs.

    Raises:
        UsageError: there is no such file, or it is no module that measures distances of images.
    """

    def __init__(self, path: str | Path, image_size: int, device: torch.device) -> None:
        file = Path(path).expanduser()
        if not file.is_file():
            raise UsageError(f"there is no file {file}: {_HELP}")
        try:
            self._module = load(file, device, str(file), "is no TorchScript module", UsageError)
        except UsageError as error:
            raise UsageError(f"{error}: {_HELP}") from error
        shape = (2, 1, 1, 3, image_size, image_size)
        generator = torch.Generator().manual_seed(0)
        one, other = (torch.rand(shape, generator=generator).to(device) for _ in range(2))
        try:
            same, different = self(one, one), self(one, other)
        except (RuntimeError, TypeError, AttributeError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise UsageError(
                f"{file} cannot measure images of {image_size} px ({reason}): {_HELP}"
            ) from error
        if not bool((same.abs() < 1e-3).all() and (different > same).all()):
            raise UsageError(f"{file} gives equal images distances other than 0: {_HELP}")

    def __call__(self, pred: Tensor, target: Tensor) -> Tensor:
        """(N, r, T, 3, H, W) twice, in [0, 1] -> (N, r, T).

        Raises:
            TypeError: the module returns no distance for each image.
        """
        with torch.no_grad():
            found = self._module(2.0 * pred.flatten(0, 2) - 1.0, 2.0 * target.flatten(0, 2) - 1.0)
        count = pred.shape[:3].numel()
        if not isinstance(found, Tensor) or found.numel() != count:
            raise TypeError(f"it returned no {count} distances for {count} pairs of images")
        return found.float().reshape(pred.shape[:3])
