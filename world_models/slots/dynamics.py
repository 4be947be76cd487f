"""What the dynamics of slots is trained by: open-loop rollouts, in units of what is foreseen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from armillary.world_models.model import Losses
from armillary.world_models.slots.state import SlotState

Step = Callable[[SlotState, Tensor, Tensor | None], tuple[SlotState, Tensor]]
"""State, action and noise -> the next state, and the deviation (N, K - 1, Z + 2) of the change."""


@dataclass(frozen=True)
class Foresight:
    """Squared error of imagined slots and the variance's likelihood.

    Attributes:
        variance: (Z,) of contents; an error of theirs counts half its square over it.
        extent: of an object, in image widths; errors of positions are seen in it.
        position_weight: of their mean square beside that of contents.
        orientation: contents -> how the things lie (..., O); None where that is not learned.
        orientation_weight: of the mean squared distance of orientations.
        best_of: rollouts sampled per clip of which the best counts; 1 rolls out the mean.
        places: states -> where in the scene things are (..., P); None where that is not learned.
        place_weight: of their mean squared distance.
    """

    variance: Tensor
    extent: float
    position_weight: float
    orientation: Callable[[Tensor], Tensor] | None
    orientation_weight: float
    best_of: int
    places: Callable[[SlotState], Tensor] | None = None
    place_weight: float = 0.0

    def loss(self, step: Step, states: SlotState, actions: Tensor) -> Losses:
        """Of a model's steps; slots count in which something is seen at first and where it ends.

        Args:
            step: of the model.
            states: (N, T, ...) what is to be foreseen.
            actions: (N, T - 1, A).
        """
        many = self.best_of
        state = states.map(lambda tensor: tensor[:, 0]).repeat(many)
        seen = state.seen[:, 1:]
        repeated, target = actions.repeat_interleave(many, 0), states.repeat(many)
        errors, likelihood = [], actions.new_zeros(())
        for t in range(actions.shape[1]):
            noise = None
            if many > 1:
                width = target.content.shape[-1] + target.position.shape[-1]
                noise = torch.randn(*seen.shape, width, device=seen.device)
            state, std = step(state, repeated[:, t], noise)
            known = (seen & target.seen[:, t + 1, 1:]).unsqueeze(-1)
            content = (state.content - target.content[:, t + 1])[:, 1:] * known
            place = (state.position - target.position[:, t + 1])[:, 1:] * known / self.extent
            error_now = (content.square() / (2.0 * self.variance)).mean((-1, -2))
            error_now = error_now + self.position_weight * place.square().mean((-1, -2))
            if self.orientation is not None:
                lies = self.orientation(state.content) - self.orientation(target.content[:, t + 1])
                turned = (lies[:, 1:] * known).square().sum(-1).mean(-1)
                error_now = error_now + self.orientation_weight * turned
            if self.places is not None and self.place_weight > 0:
                aim = target.map(lambda tensor, t=t: tensor[:, t + 1])
                away = (self.places(state) - self.places(aim))[:, 1:] * known
                error_now = error_now + self.place_weight * away.square().sum(-1).mean(-1)
            errors.append(error_now)
            if t == 0:  # the only step that starts from a posterior, so its error is one step's
                error = torch.cat([content, place], -1)
                of_mean = error if noise is None else error - std * noise
                likelihood = (0.5 * (of_mean.detach() / std).square() + std.log()).mean()
        error = torch.stack(errors, 1).mean(1).view(-1, many).amin(1).mean()
        total = 10.0 * error + 0.1 * likelihood
        return Losses(total, {"rollout_error": error.detach(), "dynamics_nll": likelihood.detach()})


def content_variance(states: SlotState, std: Tensor) -> Tensor:
    """(Z,) how much each number of the objects' contents varies while things move.

    The mean over objects of the variance over time, since objects differ for good in what they are;
    and the variance with which contents are decoded in training, below which no difference is seen.

    Args:
        states: (N, T, ...).
        std: (Z,) discovery standard deviation.
    """
    content = states.content[:, :, 1:]
    present = states.seen[:, :, 1:].unsqueeze(-1)
    count = present.sum(1, keepdim=True).clamp_min(1)
    mean = (content * present).sum(1, keepdim=True) / count
    apart = ((content - mean).square() * present).sum((0, 1, 2))
    return apart / present.sum().clamp_min(1) + std.square()
