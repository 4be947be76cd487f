"""The switch, and what stands in where CUDA has no deterministic kernel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from armillary import plugins
from armillary.contracts.optimizer import BOUNDS, generators, squared_distance
from armillary.determinism import deterministic, medians, sampled, switch
from armillary.errors import RunError
from armillary.planners.optimizer import Bounds
from armillary.world_models.model import Window
from armillary.world_models.registry import build_model
from tests.operators import REFUSED, UNORDERED, Operators
from tests.world_models.test_published_models import FRAMEWISE, SLOT_MODELS, SLOTS

SMALL = {
    "slot_dynamics": {"image_size": 32, "action_size": 2, "num_slots": 3},
    **dict.fromkeys(SLOT_MODELS, SLOTS),
    **dict.fromkeys(("vrnn", "vrnn_star"), FRAMEWISE),
    "rssm": {"image_size": 16, "action_size": 2, "latents": "categorical"},
    "patch_dynamics": {"image_size": 16, "action_size": 2},
}


@pytest.fixture
def on() -> Iterator[None]:
    switch(True)
    yield
    switch(False)


def test_the_block_switches_everything_on_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with deterministic(False):
        assert not torch.are_deterministic_algorithms_enabled()
    with deterministic(True), deterministic(False):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.deterministic
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.deterministic


def test_an_operation_without_such_a_kernel_is_named_in_one_line() -> None:
    told = "grid_sampler_2d_backward_cuda does not have a deterministic implementation"
    with pytest.raises(RunError, match=told) as error, deterministic(True):
        raise RuntimeError(f"{told}, but you set 'torch.use_deterministic_algorithms(True)'. ...")
    assert "\n" not in str(error.value)
    with pytest.raises(RuntimeError, match="other"), deterministic(True):
        raise RuntimeError("other")


def test_looking_up_is_grid_sampling() -> None:
    images = torch.randn(2, 3, 5, 7, dtype=torch.double, requires_grad=True)
    places = (3.0 * torch.rand(2, 4, 6, 2, dtype=torch.double) - 1.5).requires_grad_()
    weights = torch.randn(2, 3, 4, 6, dtype=torch.double)
    expected = F.grid_sample(images, places, align_corners=False)
    gradients = torch.autograd.grad((weights * expected).sum(), [images, places])
    with deterministic(True):
        found = sampled(images, places)
        same = torch.autograd.grad((weights * found).sum(), [images, places])
    assert_close(found, expected)
    for one, other in zip(same, gradients, strict=True):
        assert_close(one, other)


@pytest.mark.usefixtures("on")
def test_a_place_that_is_no_number_gives_no_number() -> None:
    assert sampled(torch.ones(1, 1, 4, 4), torch.full((1, 1, 1, 2), torch.nan)).isnan().all()


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_medians_are_the_same(count: int) -> None:
    values = torch.randn(3, count, 2)
    expected = medians(values)
    with deterministic(True):
        assert torch.equal(medians(values), expected)


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("name", SMALL)
def test_no_model_needs_a_kernel_that_there_is_not(name: str) -> None:
    model = build_model(name, **SMALL[name])
    generator = torch.Generator().manual_seed(0)
    frames = torch.rand(1, 4, 3, model.image_size, model.image_size, generator=generator)
    window = Window(frames, torch.rand(1, 3, 2, generator=generator), None)
    for objective in model.objectives:
        with Operators() as seen:
            model.loss(window, objective, 0).total.backward()
        assert not seen.refused, objective


@pytest.mark.parametrize("name", SMALL)
def test_the_documents_name_what_may_give_other_bits_without_the_switch(name: str) -> None:
    model = build_model(name, **SMALL[name])
    frames = torch.rand(1, 4, 3, model.image_size, model.image_size)
    with Operators() as seen:
        for objective in model.objectives:
            model.loss(Window(frames, torch.rand(1, 3, 2), None), objective, 0).total.backward()
    found = {one.partition(".")[0] for one in seen.names if one.startswith((*REFUSED, *UNORDERED))}
    text = (Path(__file__).parents[1] / "docs" / "reliability.md").read_text("utf-8")
    assert found
    assert not [one for one in found if f"`{one}`" not in text]


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("name", sorted(plugins.registered("planner")))
def test_no_search_needs_one(name: str) -> None:
    search = plugins.find("planner", name).thing
    if {"states", "proposals"} & {*search.__module__.split(".")}:
        pytest.skip("it looks at states: tests/planners runs it on a model")
    bounds = Bounds.one_hot(3) if search.discrete else BOUNDS
    target = torch.zeros(1, 4, len(bounds.low))
    with Operators() as seen:
        search().optimize(squared_distance(target), target, bounds, generators(1))
    assert not seen.refused


def test_older_torch_cannot_say_that_it_exports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.compiler, "is_exporting", raising=False)
    assert sampled(torch.rand(1, 2, 4, 4), torch.zeros(1, 1, 3, 2)).shape == (1, 2, 1, 3)
