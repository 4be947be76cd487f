"""Settings shared by all tests."""

import pytest
import torch

pytest.register_assert_rewrite("armillary.contracts")
torch.set_num_threads(1)
