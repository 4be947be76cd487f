"""Whether what is captured computes what eager computes: beliefs, goals, scores, training steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from armillary.experiments.evaluation.speed import Check
from armillary.experiments.speed.cases import Setting
from armillary.experiments.speed.device import Deadline
from armillary.experiments.speed.files import episodes_of_noise
from armillary.experiments.speed.kinds.planning import OUTPUTS, begun
from armillary.experiments.speed.kinds.training import batch_of, stages
from armillary.experiments.speed.subjects import build, imagining
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.model import WorldModel
from armillary.world_models.replay.recordings import leaves
from armillary.world_models.training.config import TrainerConfig
from armillary.world_models.training.engine import Engine
from armillary.world_models.training.schedule import Stage
from armillary.world_models.training.steps.update import Update

_RELATIVE, _ABSOLUTE = 1e-3, 1e-4
"""By which captured and eager may differ."""
_APART = 0.01
"""Of the way that the weights went: where a gradient is nearly zero, Adam takes its sign."""
_CLIPS, _STEPS, _RATE = 2, 5, 2.0**-10
"""A learning rate that is the same number in float32."""


def checks(setting: Setting, deadline: Deadline) -> Iterator[Check]:
    """A check of every model's plans, and of every stage that it is trained by.

    What no time is left for has failed.
    """
    todo: list[tuple[str, Callable[[str], Check]]] = [
        (f"captured equals eager: {name}", partial(planned, setting, name))
        for name in imagining(list(setting.models))
    ]
    for name in setting.models:
        for stage, told in stages(setting, name):
            few = replace(stage, batch_size=_CLIPS)
            told = f"captured training equals eager: {name}, {told}"
            todo.append((told, partial(stepped, setting, name, few)))
    for told, compare in todo:
        late = Check(name=told, passed=False, told="no time was left")
        yield compare(told) if deadline.left else late


def planned(setting: Setting, name: str, told: str) -> Check:
    """Of beliefs, goals and scores."""
    model = build(name, setting)
    eager, captured = (_plans(model, setting, capture) for capture in (False, True))
    return _compared(told, setting, eager, captured)


def stepped(setting: Setting, name: str, stage: Stage, told: str) -> Check:
    """Of the losses of some training steps, and of where they lead the weights."""
    eager, captured = (_steps(setting, name, stage, capture) for capture in (False, True))
    return _compared(told, setting, eager, captured)


@dataclass(frozen=True)
class _Computed:
    """What is compared.

    Attributes:
        what: it is, for people.
        results: of the same inputs.
        ways: from where the weights were to where they are; empty where they stay.
        replayed: how many shapes are.
        refused: names of what cannot be recorded.
    """

    what: str
    results: Sequence[Tensor]
    ways: Sequence[Tensor] = ()
    replayed: int = 0
    refused: Sequence[str] = ()


def _compared(name: str, setting: Setting, eager: _Computed, captured: _Computed) -> Check:
    records = setting.device.type == "cuda"
    pairs = [pair for pair in zip(eager.results, captured.results, strict=True) if pair[0].numel()]
    worst = max(float((one - other).abs().max()) for one, other in pairs)
    close = all(torch.allclose(one, other, _RELATIVE, _ABSOLUTE) for one, other in pairs)
    told = f"greatest difference {worst:.2g} of {eager.what}"
    if eager.ways:
        one, other = (torch.cat([way.flatten() for way in x.ways]) for x in (eager, captured))
        apart = float((one - other).norm() / one.norm().clamp_min(1e-12))
        close = close and apart <= _APART
        told += f", weights {apart:.2g} of their way apart"
    replays = f"{captured.replayed} shapes replayed" if records else "nothing is captured here"
    return Check(
        name=name,
        passed=close and not captured.refused and (captured.replayed > 0 or not records),
        told="; ".join([told, replays]) + "".join(f", not {one}" for one in captured.refused),
    )


@torch.no_grad()
def _plans(model: WorldModel, setting: Setting, capture: bool) -> _Computed:
    """The first call of a shape never is a replay."""
    size, device, random = model.image_size, setting.device, setting.generator()
    simulator = LatentSimulator(model, str(device), particles=2, capture=capture)
    results: list[Tensor] = []
    for _ in range(3):
        frames = torch.rand(4, 3, size, size, generator=random)
        actions = torch.rand(2, 3, 2, model.action_size, generator=random)
        images = (255 * frames.permute(0, 2, 3, 1)).byte().numpy()
        state, goal = begun(simulator, frames.to(device))
        observed = [{"image": images[i], "goal_image": images[i + 2]} for i in range(2)]
        state = simulator.observe(state, actions[:, 0, 0].numpy(), observed)
        results += [*state.tensors().values(), *leaves(simulator.goal(state, observed))]
        for objective in OUTPUTS.values():
            noise = [torch.Generator(device).manual_seed(i) for i in range(2)]
            results.append(simulator.score(state, actions.to(device), objective, goal, noise))
    what = "beliefs, goals and scores"
    return _Computed(what, results, (), simulator.replayed, simulator.refused)


def _steps(setting: Setting, name: str, stage: Stage, capture: bool) -> _Computed:
    model = build(name, setting).train()
    file = episodes_of_noise(setting, model.image_size, model.action_size)
    batch = batch_of(model, file, stage)
    device = str(setting.device)
    config = TrainerConfig((stage,), max_steps=_STEPS, device=device, capture=capture)
    update = Update(model, stage, config, Engine(device))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    torch.manual_seed(setting.seed)
    rows = [update.apply(batch, step, _RATE) for step in range(_STEPS)]
    ways = [now.detach() - then for now, then in zip(model.parameters(), before, strict=True)]
    return _Computed("losses", rows, ways, int(update.replayed), update.refused)
