"""Discrete actions: how choices are written as actions, and which choice an action stands for."""

from __future__ import annotations

import torch
from torch import Tensor


class Choices:
    """G choices of n_g options each, as actions (A,): one-hot blocks, or a number for each choice.

    Args:
        low: (A,) least action.
        sizes: n_g. They add up to A for one-hot blocks; else there are A of them.

    Attributes:
        codes: (G, n, A), what each option adds to an action, n being the greatest n_g.
        known: (G, n) bool, which options there are.
    """

    def __init__(self, low: Tensor, sizes: tuple[int, ...], one_hot: bool) -> None:
        most, count = max(sizes), len(low)
        self.codes = low.new_zeros(len(sizes), most, count)
        self.known = torch.zeros(len(sizes), most, dtype=torch.bool, device=low.device)
        first = 0
        for choice, size in enumerate(sizes):
            self.known[choice, :size] = True
            if one_hot:
                self.codes[choice, :size, first : first + size] = torch.eye(size).to(low)
            else:
                self.codes[choice, :size, choice] = low[choice] + torch.arange(size).to(low)
            first += size

    def actions(self, options: Tensor) -> Tensor:
        """Options (..., G) int64 -> actions (..., A)."""
        choices = torch.arange(len(self.codes), device=options.device)
        return self.codes[choices, options].sum(-2)

    def options(self, actions: Tensor) -> Tensor:
        """Actions (..., A) -> the options (..., G) int64 that are nearest to them."""
        used = self.codes.abs().amax(1) > 0
        away = (actions[..., None, None, :] - self.codes).square() * used.unsqueeze(1)
        return away.sum(-1).masked_fill(~self.known, torch.inf).argmin(-1)
