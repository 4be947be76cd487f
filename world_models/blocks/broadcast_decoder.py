"""The spatial-broadcast decoder (Watters et al. 2019) without the work a tiled input wastes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from armillary.determinism import exporting
from armillary.errors import ArmillaryError
from armillary.recomputation import asked_for, remade

_KERNEL = 5
_MARGIN = 8
# Values of the widest activation that a CPU makes at a time: 16 images of 64 px with 32 channels.
_CHUNK = 16 * 70 * 70 * 32
# As many times that on an accelerator, which waits for every launch.
_WIDER = 32
_BORDERS = (slice(0, 1), slice(1, -1), slice(-1, None))


class SpatialBroadcastDecoder(nn.Module):
    """A latent, tiled over space with x and y appended, through four 5x5 convolutions to an image.

    The tiled input is (H + 8, W + 8), with x and then y from -1 to 1; every 5x5 convolution pads by
    1, so takes two pixels away, and is followed by ELU; a 1x1 convolution makes the output.

    Computed as follows, equal to that up to rounding:
        The first convolution never sees the tiled latent. The latent's part of it is a matrix
        product with the kernel summed over the taps that lie inside the image: one for all inner
        pixels, eight for those at the edges and corners. The part of x and y is the same for all
        latents, so one convolution. Its output is made again in the backward pass where memory
        asks for it, see ``recomputation``.
        Activations are channels-last, replaced by their ELU in place and made for a few latents at
        a time: on a CPU what is allocated stays small enough to be used again, on any device
        memory is bounded.

    Any floating-point type, and autocast. The gradient of a gradient is not available.

    Args:
        input_size: Z.
        image_size: H = W, at least 8.
        channels: width of the convolutions.
        outputs: channels of the output.
    """

    def __init__(
        self, input_size: int, image_size: int, channels: int = 32, outputs: int = 4
    ) -> None:
        super().__init__()
        if image_size < 8:
            raise ArmillaryError(f"image_size must be at least 8, got {image_size}")
        self.input_size = input_size
        self.image_size = image_size
        layers: list[nn.Module] = []
        for inputs in (input_size + 2, channels, channels, channels):
            layers += [nn.Conv2d(inputs, channels, _KERNEL, padding=1), nn.ELU(inplace=True)]
        self.decode = nn.Sequential(*layers, nn.Conv2d(channels, outputs, 1))

    def forward(self, z: Tensor) -> Tensor:
        """z (N, Z) -> (N, outputs, H, W), without a sigmoid.

        Raises:
            ArmillaryError: if z has another shape.
        """
        if z.ndim != 2 or z.shape[1] != self.input_size:
            raise ArmillaryError(f"z must be (N, {self.input_size}), got {tuple(z.shape)}")
        device = z.device.type
        with torch.autocast(device, enabled=False):
            latent, position = self._first_convolution(z)
        dtype = latent.dtype
        if torch.is_autocast_enabled(device):
            dtype = torch.get_autocast_dtype(device)
        count = latents_at_once(device, position.numel())
        again = asked_for(z.device, z.shape[0] * position.numel() * dtype.itemsize)
        images = [self._image(chunk, position, dtype, again) for chunk in chunks(latent, count)]
        return torch.cat(images)

    def _first_convolution(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The parts of its output that the latent and the position make.

        Returns:
            (N, 3, 3, channels): at the first, all middle and the last rows, likewise columns.
            (H + 6, W + 6, channels), the bias included.
        """
        convolution = self.decode[0]
        assert isinstance(convolution, nn.Conv2d)
        weight = convolution.weight
        axis = torch.linspace(
            -1.0, 1.0, self.image_size + _MARGIN, dtype=weight.dtype, device=weight.device
        )
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"))
        position = F.conv2d(grid, weight[:, -2:], convolution.bias, padding=1).permute(1, 2, 0)
        inside = weight.new_ones(len(_BORDERS), _KERNEL)
        inside[0, :1].zero_()
        inside[-1, -1:].zero_()
        summed = torch.einsum("ra,cb,ozab->zrco", inside, inside, weight[:, :-2])
        latent = z.to(weight.dtype) @ summed.flatten(1)
        return latent.unflatten(1, summed.shape[1:]), position.contiguous()

    def _image(self, latent: Tensor, position: Tensor, dtype: torch.dtype, again: bool) -> Tensor:
        inputs = (latent, position, dtype)
        second = self._second_convolution
        hidden = remade(second, *inputs) if again else second(*inputs)
        return self.decode[3:](hidden).contiguous()

    def _second_convolution(self, latent: Tensor, position: Tensor, dtype: torch.dtype) -> Tensor:
        """Of the first one's ELU; checkpointing stops before this convolution is repeated."""
        return self.decode[2](_BroadcastELU.apply(latent, position, dtype))


def latents_at_once(device: str, values: int) -> int:
    """How many latents are decoded at a time, whose activations have that many values each.

    Args:
        device: its type.
        values: of one latent's widest activation.
    """
    return max(1, (_CHUNK if device == "cpu" else _WIDER * _CHUNK) // values)


def chunks(batch: Tensor, count: int) -> Sequence[Tensor]:
    """A batch so many rows at a time; where it is exported in one piece, which may be any size."""
    return [batch] if exporting() else batch.split(count)


class _BroadcastELU(torch.autograd.Function):
    """ELU of what ``SpatialBroadcastDecoder._first_convolution`` returns, (N, channels, H, W)."""

    @staticmethod
    def forward(ctx: Any, latent: Tensor, position: Tensor, dtype: torch.dtype) -> Tensor:
        output = position.new_empty(latent.shape[0], *position.shape, dtype=dtype)
        for i, rows in enumerate(_BORDERS):
            for j, columns in enumerate(_BORDERS):
                constant = latent[:, i, j, None, None]
                torch.add(position[rows, columns], constant, out=output[:, rows, columns])
        F.elu_(output)
        ctx.save_for_backward(output)
        ctx.wide = position.dtype
        return output.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradients of the inputs; they have none of their own."""
        return _backward(ctx, *grad_outputs)


@once_differentiable
def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
    (output,) = ctx.saved_tensors
    gradient = gradient.permute(0, 2, 3, 1)
    gradient = torch.ops.aten.elu_backward(gradient, 1, 1, 1, True, output).to(ctx.wide)
    by_row = torch.stack([gradient[:, rows].sum(1) for rows in _BORDERS], 1)
    by_class = torch.stack([by_row[:, :, columns].sum(2) for columns in _BORDERS], 2)
    return by_class, gradient.sum(0), None
