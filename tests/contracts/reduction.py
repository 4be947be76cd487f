"""What every reduction of costs promises. Inherit the class and say how to make one."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from armillary.planners.reductions import Reduction

SHAPE = (3, 4, 10)


class ReductionContract(ABC):
    """Inherit, name the class ``Test...`` and implement ``make``."""

    @abstractmethod
    def make(self) -> Reduction:
        """A reduction."""

    @pytest.fixture
    def costs(self) -> Tensor:
        return torch.rand(SHAPE, generator=torch.Generator().manual_seed(0))

    def test_removes_the_last_dimension(self, costs: Tensor) -> None:
        reduce = self.make()
        assert reduce(costs).shape == SHAPE[:-1]
        assert reduce(costs[..., :1]).shape == SHAPE[:-1]

    def test_lies_between_the_least_and_the_greatest(self, costs: Tensor) -> None:
        found = self.make()(costs)
        assert (found >= costs.amin(-1) - 1e-6).all()
        assert (found <= costs.amax(-1) + 1e-6).all()

    def test_equal_costs_stay_what_they_are(self) -> None:
        assert_close(self.make()(torch.full(SHAPE, 0.3)), torch.full(SHAPE[:-1], 0.3))

    def test_rows_do_not_depend_on_each_other(self, costs: Tensor) -> None:
        assert_close(self.make()(costs)[1:2], self.make()(costs[1:2]))

    def test_nan_is_never_hidden_among_costs_that_all_are(self) -> None:
        assert self.make()(torch.full(SHAPE, torch.nan)).isnan().all()
