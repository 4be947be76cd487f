"""The published initialisation of weights."""

from __future__ import annotations

from torch import nn

_GAIN = 0.02


def initialise(module: nn.Module) -> None:
    """Xavier-normal weights of gain 0.02 and zero biases in every convolution and linear layer.

    BatchNorm's weights are drawn from N(1, 0.02); recurrent cells keep torch's own.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.xavier_normal_(part.weight, _GAIN)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1.0, _GAIN)
