"""The published initialisation of weights."""

from __future__ import annotations

from torch import nn

_NORM_STD = 0.02


def initialise(module: nn.Module, gain: float) -> None:
    """Xavier-normal weights and zero biases in every convolution and linear layer.

    BatchNorm's weights are drawn from N(1, 0.02); recurrent cells keep torch's own.

    Args:
        module: whose parts are initialised.
        gain: of the weights; as published 0.02, from which training needs long to start.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.xavier_normal_(part.weight, gain)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1.0, _NORM_STD)
