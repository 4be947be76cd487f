"""Compares images with targets that several of them may share, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.world_models.metrics.threads import spread

_VALUES_AT_ONCE = 1 << 19
_TOLERANCE = 1e-3

Comparison = Callable[[Tensor, Tensor], Tensor]
"""(U, S, C, H, W) and the targets (U, C, H, W) of each S images -> R results (R, U, S)."""


def compare(
    pred: Tensor,
    target: Tensor,
    function: Comparison,
    *,
    values: int = _VALUES_AT_ONCE,
    threaded: bool = False,
) -> Tensor:
    """Applies a comparison to every image and its target.

    Args:
        pred: (..., C, H, W).
        target: the same shape, or leading dimensions that are 1 or absent where it is shared.
        function: called with a bounded number of images at a time.
        values: about how many values of ``pred`` it is given at a time.
        threaded: whether several threads call it, because it keeps each busy with one.

    Returns:
        (R, ...) of the type and on the device of ``pred``.
    """
    leading = pred.shape[:-3]
    target = target.reshape(*[1] * (pred.ndim - target.ndim), *target.shape)
    shared = [dim for dim, size in enumerate(target.shape[:-3]) if size == 1]
    own = [dim for dim in range(len(leading)) if dim not in shared]
    order = [*own, *shared]
    pred = pred.permute(*order, -3, -2, -1)
    target = target.permute(*order, -3, -2, -1).reshape(*pred.shape[: len(own)], *pred.shape[-3:])
    groups = list(np.ndindex(pred.shape[: len(own)]))
    at_once = max(1, values // pred.shape[-3:].numel())
    together = max(1, at_once // pred.shape[len(own) : -3].numel())
    members = pred.shape[len(own) : -3].numel()
    blocks = [groups[start : start + together] for start in range(0, len(groups), together)]
    parts = [slice(start, start + at_once) for start in range(0, members, at_once)]

    def work(task: tuple[list[tuple[int, ...]], slice]) -> Tensor:
        chosen, part = task
        x = _stacked(pred, chosen)
        x = x.flatten(1, -4) if shared else x.unsqueeze(1)
        return function(x[:, part], _stacked(target, chosen))

    tasks = [(block, part) for block in blocks for part in parts]
    if threaded and pred.device.type == "cpu":
        results = spread(work, tasks)
    else:
        results = [work(task) for task in tasks]
    rows = [
        torch.cat(results[start : start + len(parts)], -1)
        for start in range(0, len(results), len(parts))
    ]
    found = torch.cat(rows, 1)
    found = found.reshape(len(found), *(leading[dim] for dim in order))
    back = np.argsort(order).tolist()
    return found.permute(0, *(1 + dim for dim in back)).to(pred)


def check_images(pred: Tensor, target: Tensor, data_range: float) -> None:
    """Raises ArmillaryError unless the images can be compared.

    Args:
        pred: should be (..., C, H, W) floating point, about as wide as ``data_range``.
        target: should be the same shape, or 1 in leading dimensions, and span ``data_range`` at
            most.
        data_range: difference between the largest and the smallest value that a pixel may have.
    """
    sizes = zip(reversed(pred.shape), reversed(target.shape), strict=False)
    fits = all(have == want or (i > 2 and want == 1) for i, (have, want) in enumerate(sizes))
    if pred.ndim < 3 or not 3 <= target.ndim <= pred.ndim or not fits:
        raise ArmillaryError(
            "pred and target must both be (..., C, H, W), or target 1 in the dimensions over which "
            f"it is shared, got {tuple(pred.shape)} and {tuple(target.shape)}"
        )
    if not (pred.is_floating_point() and target.is_floating_point()):
        raise ArmillaryError(f"images must be floating point, got {pred.dtype} and {target.dtype}")
    if pred.numel() == 0:
        raise ArmillaryError(f"there must be at least one image and pixel, got {tuple(pred.shape)}")
    for name, images, widest in (("target", target, 1.0), ("pred", pred, 2.0)):
        low, high = (float(value) for value in torch.aminmax(images))
        if high - low > (widest + _TOLERANCE) * data_range:
            raise ArmillaryError(
                f"images must lie within a range of {data_range:g}, such as 0..{data_range:g}, but "
                f"{name} holds {low:g} to {high:g}; scale it, or say the range if the metric "
                "takes one"
            )


def _stacked(tensor: Tensor, groups: list[tuple[int, ...]]) -> Tensor:
    """The entries of several groups; a view if there is one."""
    if len(groups) == 1:
        return tensor[groups[0]].unsqueeze(0)
    return torch.stack([tensor[group] for group in groups])
