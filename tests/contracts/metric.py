"""What every metric of imagined frames promises. Inherit the class and say how to make one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

VIDEOS, ROLLOUTS, FRAMES, SIZE = 3, 2, 4, 16


class Metric(Protocol):
    """What is registered under the kind ``metric``."""

    @property
    def label(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def digits(self) -> int: ...
    @property
    def higher_is_better(self) -> bool: ...

    def __call__(self, pred: Tensor, true: Tensor) -> Tensor: ...


class MetricContract(ABC):
    """Inherit, name the class ``Test...`` and implement ``make``."""

    @abstractmethod
    def make(self) -> Metric:
        """A metric."""

    @pytest.fixture
    def true(self) -> Tensor:
        return torch.rand(VIDEOS, 1, FRAMES, 3, SIZE, SIZE, generator=_generator(0))

    @pytest.fixture
    def pred(self, true: Tensor) -> Tensor:
        noise = torch.randn(VIDEOS, ROLLOUTS, *true.shape[2:], generator=_generator(1))
        return (true + 0.1 * noise).clamp(0, 1)

    def test_one_number_for_every_frame(self, pred: Tensor, true: Tensor) -> None:
        found = self.make()(pred, true)
        assert found.shape == (VIDEOS, ROLLOUTS, FRAMES)
        assert found.isfinite().all()

    def test_equal_frames_are_best(self, pred: Tensor, true: Tensor) -> None:
        metric = self.make()
        sign = 1 if metric.higher_is_better else -1
        perfect = metric(true.expand_as(pred).contiguous(), true)
        assert (sign * perfect >= sign * metric(pred, true)).all()

    def test_videos_do_not_depend_on_each_other(self, pred: Tensor, true: Tensor) -> None:
        metric = self.make()
        assert_close(metric(pred[1:2], true[1:2]), metric(pred, true)[1:2])

    def test_is_described(self) -> None:
        metric = self.make()
        assert metric.label
        assert isinstance(metric.unit, str)
        assert metric.digits >= 0


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
