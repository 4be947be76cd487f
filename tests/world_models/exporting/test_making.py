"""Every model's programs compute what the model does, for any number of rows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from armillary import plugins
from armillary.errors import RunError
from armillary.world_models.exporting import tracing
from armillary.world_models.exporting.making import ONNX, TORCH, make
from armillary.world_models.exporting.onnx_files import missing_libraries, running
from armillary.world_models.exporting.programs import (
    Program,
    examples,
    programs_of,
    zero_noise_is_the_mean,
)
from armillary.world_models.model import WorldModel
from armillary.world_models.registry import (
    available_models,
    build_model,
    canonical,
    register_model,
)
from armillary.world_models.state import LatentState
from tests.world_models.kinds import MODELS
from tests.world_models.toy import ToyModel, ToyState

ITERATIVE: dict[str, Any] = {
    "image_size": 8,
    "num_slots": 2,
    "latent_size": 2,
    "conv_channels": 2,
    "lstm_hidden": 2,
    "iterations": [1, 1],
}
VRNN: dict[str, Any] = {"image_size": 8, "latent_size": 2, "hidden": 4, "conv_channels": 2}
HYPERPARAMETERS: dict[str, dict[str, Any]] = {
    "sdvae": {**ITERATIVE, "iterations": [2, 1]},
    "sdvae_davos": ITERATIVE,
    "op3": ITERATIVE,
    "ssm": ITERATIVE,
    "vrnn": VRNN,
    "vrnn_star": VRNN,
    "slot_dynamics": {"image_size": 32, "num_slots": 3},
    "rssm": {"image_size": 8, "memory_size": 4, "latent_size": 2, "hidden": 4, "conv_channels": 2},
    "patch_dynamics": {"image_size": 8, "grid": 2, "feature_size": 4, "width": 8},
}
PROGRAMS = {
    "sdvae": ("start", "decode"),
    "sdvae_davos": ("slots",),
    "op3": ("observe",),
    "ssm": ("step",),
    "vrnn": ("step", "positions"),
    "vrnn_star": ("slots",),
    "slot_dynamics": ("start", "observe", "step", "slots", "positions", "decode"),
    "rssm": ("observe", "step", "decode"),
    "patch_dynamics": ("start", "observe", "step", "slots"),
}
"""Those that no other model shares: tracing takes seconds."""
SECOND = {"second_edition": ("start", "step"), "still_camera": ("observe", "positions")}
"""Of slot_dynamics, by their kinds in ``kinds``."""
with_onnx = pytest.mark.skipif(bool(missing_libraries()), reason="needs armillary[export]")


@register_model("deciding_toy")
class DecidingToy(ToyModel):
    """Looks at values to decide what to do, which no program of tensors can."""

    def slots(self, state: LatentState) -> Tensor:
        slots = super().slots(state)
        return slots if float(slots.mean()) > 0 else -slots


@register_model("row_by_row_toy")
class RowByRowToy(ToyModel):
    """Does something else for every number of rows."""

    def observe(self, state: LatentState | None, action: Tensor, frame: Tensor) -> ToyState:
        seen = super().observe(state, action, frame).slots
        return ToyState(torch.cat([row for row in seen.split(1)]))


@register_model("middling_toy")
class MiddlingToy(ToyModel):
    """Takes an operation that ONNX lacks."""

    def slots(self, state: LatentState) -> Tensor:
        slots = super().slots(state)
        return slots + slots.median(-1, keepdim=True).values


def model_of(name: str, **more: Any) -> WorldModel:
    """Weights at random, none of them zero."""
    torch.manual_seed(0)
    model = build_model(name, **more).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.set_action_statistics(
        torch.linspace(-0.2, 0.3, model.action_size), torch.full((model.action_size,), 0.5)
    )
    return model


def kind_of(kind: str) -> WorldModel:
    """A kind of slot_dynamics, with weights at random and as many slots as the first one."""
    settings = {**MODELS[kind], **HYPERPARAMETERS["slot_dynamics"]}
    return model_of("slot_dynamics", **settings)


def chosen(model: WorldModel, *names: str) -> list[Program]:
    return [program for program in programs_of(model) if program.name in names]


def test_every_model_of_the_registry_is_exported_here() -> None:
    ours = {
        name
        for name in available_models()
        if plugins.find("model", canonical(name, {})[0]).thing.__module__.startswith("armillary.")
    }
    assert {*HYPERPARAMETERS} == {*PROGRAMS} == ours


@pytest.mark.parametrize("name", [*HYPERPARAMETERS, *SECOND])
def test_what_is_read_back_computes_what_the_model_does(name: str) -> None:
    more = HYPERPARAMETERS.get(name)
    model = kind_of(name) if more is None else model_of(name, action_size=2, **more)
    programs = chosen(model, *(PROGRAMS | SECOND)[name])
    values = examples(model, 5, seed=7)
    for program, made in make(model, programs, [TORCH], 1e-4):
        one = made[TORCH]
        assert one.any_rows, program.name
        assert one.difference <= 1e-5, program.name
        with torch.no_grad():
            found = tracing.loaded(one.content)(*program.arguments(values))
            expected = program.function(*program.arguments(values))
        for value, mine, theirs in zip(program.outputs, found, expected, strict=True):
            torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)
            assert tuple(mine.shape) == (5, *value.shape), value
            if value.range:
                assert value.range[0] <= mine.min() <= mine.max() <= value.range[1] + 1e-5
        for path in (b"/world_models/", b"/site-packages/"):
            assert path not in one.content, "paths of this machine"


def test_programs_hold_the_weights_that_they_need() -> None:
    model = model_of("toy")
    sizes = {
        program.name: len(tracing.traced(program, model, program.arguments(values)).state_dict)
        for values in [examples(model, 3)]
        for program in programs_of(model)
    }
    assert sizes["slots"] == 0
    assert sizes["start"] == 2  # a matrix and a vector
    assert sizes["step"] == 4  # likewise, and the actions' statistics


def test_action_free_models_are_exported() -> None:
    model = model_of("toy", action_size=0)
    for program, made in make(model, programs_of(model), [TORCH], 1e-5):
        assert made[TORCH].any_rows, program.name


def test_gradients_flow_through_a_program() -> None:
    model = model_of("toy")
    (step,) = chosen(model, "step")
    arguments = step.arguments(examples(model, 4))
    arguments[1].requires_grad_()
    run = tracing.loaded(tracing.saved(tracing.traced(step, model, arguments)))
    (mine,) = torch.autograd.grad(run(*arguments)[0].square().sum(), arguments[1])
    (theirs,) = torch.autograd.grad(step.function(*arguments)[0].square().sum(), arguments[1])
    torch.testing.assert_close(mine, theirs)


def test_noise_of_zeros_is_known_to_be_the_mean_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("toy")
    assert zero_noise_is_the_mean(model)
    plain = type(model).step
    monkeypatch.setattr(
        type(model),
        "step",
        lambda self, s, a, n=None: plain(self, s, a, None if n is None else n + 1),
    )
    assert not zero_noise_is_the_mean(model)


def test_what_cannot_be_a_program_is_told_and_the_others_are_made() -> None:
    model = model_of("deciding_toy")
    made = {
        program.name: one[TORCH] for program, one in make(model, programs_of(model), [TORCH], 1e-5)
    }
    assert {name for name, one in made.items() if not one.content} == {"slots"}
    assert "data-dependent" in made["slots"].reason
    assert "\n" not in made["slots"].reason


def test_a_model_that_counts_its_rows_is_exported_for_one() -> None:
    model = model_of("row_by_row_toy")
    made = {
        program.name: one[TORCH] for program, one in make(model, programs_of(model), [TORCH], 1e-5)
    }
    assert made["start"].rows == made["observe"].rows == (1,)
    assert made["step"].any_rows
    (start,) = chosen(model, "start")
    arguments = start.arguments(examples(model, 1, seed=3))
    torch.testing.assert_close(
        tracing.loaded(made["start"].content)(*arguments), start.function(*arguments)
    )


@pytest.mark.parametrize("wrong", [1.0, float("nan")])
def test_a_program_that_computes_something_else_is_an_error(
    monkeypatch: pytest.MonkeyPatch, wrong: float
) -> None:
    model = model_of("toy")
    loaded = tracing.loaded
    monkeypatch.setattr(
        tracing,
        "loaded",
        lambda content: lambda *given: tuple(x + wrong for x in loaded(content)(*given)),
    )
    with pytest.raises(
        RunError, match=r"start\.pt2 would not compute what the model does.*tolerance"
    ):
        list(make(model, programs_of(model), [TORCH], 1e-3))


@with_onnx
def test_onnx_files_compute_what_the_model_does_gradients_included() -> None:
    model = model_of("sdvae_davos", action_size=2, **HYPERPARAMETERS["sdvae_davos"])
    programs = chosen(model, "start", "slots")
    values = examples(model, 5, seed=7)
    for program, made in make(model, programs, [ONNX], 1e-4):
        found = running(made[ONNX].content, program)(*program.arguments(values))
        with torch.no_grad():
            torch.testing.assert_close(
                found, program.function(*program.arguments(values)), atol=1e-4, rtol=1e-4
            )


@with_onnx
def test_an_operator_that_onnx_lacks_is_named_and_torch_has_it() -> None:
    model = model_of("middling_toy")
    ((_, made),) = make(model, chosen(model, "slots"), [TORCH, ONNX], 1e-5)
    assert made[TORCH].content
    assert not made[ONNX].content
    assert made[ONNX].reason == "ONNX has no operator aten.median.dim"
