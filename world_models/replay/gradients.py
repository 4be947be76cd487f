"""Scores with the gradients of candidates, which are computed together, a piece at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from armillary.world_models.replay.recordings import Pure, Tensors


class Differentiated(torch.autograd.Function):
    """Scores whose gradients were computed together with them: ``apply(actions, function)``.

    ``function`` maps actions (B, S, T, A) to scores (B, S), each of which depends on its own
    candidate alone, and, where there is one, to the gradient of their sum; see ``with_gradient``.
    Nothing but that gradient lies in memory until the backward pass.
    """

    @staticmethod
    def forward(ctx: Any, actions: Tensor, function: Callable[[Tensor], Tensors]) -> Tensor:
        """(B, S)."""
        scores, *gradient = function(actions.detach())
        ctx.save_for_backward(*gradient)
        if not gradient:
            ctx.mark_non_differentiable(scores)
        return scores

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradient of the weighted sum; it has none of its own."""
        return _backward(ctx, *grad_outputs)


def with_gradient(function: Pure, first: Tensor, *others: Tensor) -> Tensors:
    """A function's one result and, if it depends on the first input, its sum's gradient by that."""
    with torch.enable_grad():
        varied = first.detach().requires_grad_()
        (result,) = function(varied, *others)
        if not result.requires_grad:
            return (result,)
        return result.detach(), *torch.autograd.grad(result.sum(), varied)


@once_differentiable
def _backward(ctx: Any, weights: Tensor) -> tuple[Tensor, None]:
    (gradient,) = ctx.saved_tensors
    return gradient * weights[..., None, None], None
