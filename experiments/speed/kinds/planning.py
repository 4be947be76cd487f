"""Rows of what planners ask a simulator: candidate-steps a second, by all that they depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from armillary.experiments.command.parameters import model_class
from armillary.experiments.evaluation.speed import Target
from armillary.experiments.speed.cases import Case, Setting, Work
from armillary.experiments.speed.subjects import build, build_plain, has_slots, imagining
from armillary.planners.costs import LatentDistance, PixelDistance
from armillary.planners.objective import Objective, Term
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.model import WorldModel
from armillary.world_models.simulator import Goal, Rollout, ScoreRollouts
from armillary.world_models.state import LatentState

SLOTS, LAST, ALL = "slots", "last frame", "all frames"
EAGER, CAPTURED, COMPILED = "eager", "captured", "compiled"


def last_frame(imagined: Rollout, goal: Goal) -> Tensor:
    """(B, S): the mean squared error of the last frames alone."""
    target = goal.view.frames[:, None, None]
    return (imagined.end.frames - target).square().mean((-1, -2, -3)).mean(-1)


OUTPUTS: Mapping[str, ScoreRollouts[Any]] = {
    SLOTS: Objective({"latent": Term(LatentDistance())}),
    LAST: last_frame,
    ALL: Objective({"pixel": Term(PixelDistance())}),
}
"""What is read off imagined states, by the cost that reads it."""


def cases(setting: Setting) -> Iterator[Case]:
    """Every model by what is read; the first one by everything else, one thing at a time."""
    size, names = setting.size, imagining(list(setting.models))
    for name in names:
        for outputs in OUTPUTS:
            yield score(setting, name, outputs=outputs)
        yield score(setting, name, way=CAPTURED)
    first = names[0]
    for name in names if size.every else [first]:
        for outputs in (SLOTS, ALL):
            yield score(setting, name, outputs=outputs, precision="bfloat16")
        if size.published:
            yield score(setting, name, way=COMPILED)
    for factor in (0.25, 4):
        yield score(setting, first, candidates=int(factor * size.candidates))
        yield score(setting, first, horizon=max(1, int(factor * size.horizon)))
    for problems in size.problems[1:]:
        yield score(setting, first, problems=problems)
    if has_slots(first):
        for factor in (2, 4):
            yield score(setting, first, slots=factor * slots_of(first, setting))
    for threads in setting.other_threads:
        yield score(setting, first, threads=threads)


def score(
    setting: Setting,
    name: str,
    *,
    outputs: str = SLOTS,
    problems: int = 1,
    candidates: int | None = None,
    horizon: int | None = None,
    slots: int | None = None,
    precision: str = "float32",
    threads: int | None = None,
    way: str = EAGER,
    targets: tuple[Target, ...] = (),
) -> Case:
    """The row of scoring candidates with a model, as a search does."""
    size = setting.size
    cheap = outputs == SLOTS and not model_class(name).steps_decode
    count = candidates or (size.candidates if cheap else size.decoded)
    steps = horizon or size.horizon
    settings = {
        "outputs": outputs,
        "problems": problems,
        "candidates": count,
        "horizon": steps,
        "slots": slots or slots_of(name, setting),
        "precision": precision,
        "threads": threads or setting.threads,
        "way": way,
    }
    more = {} if slots is None else {"num_slots": slots}

    def make() -> Work:
        eager, plain = (f(name, setting, **more) for f in (build, build_plain))
        frames = torch.rand(2 * problems, 3, eager.image_size, eager.image_size)
        frames = frames.to(setting.device)
        drawn = torch.rand(problems, count, steps, eager.action_size, generator=setting.generator())
        actions = (2 * drawn - 1).to(setting.device)

        def scoring(model: WorldModel, **options: Any) -> Callable[[], Tensor]:
            simulator = LatentSimulator(model, str(setting.device), precision=precision, **options)
            state, goal = begun(simulator, frames)
            return lambda: simulator.score(state, actions, OUTPUTS[outputs], goal)

        return Work(
            torch.no_grad()(scoring(eager, compile=way == COMPILED, capture=way == CAPTURED)),
            torch.no_grad()(plain_score(plain, frames, actions, outputs)),
            counted=torch.no_grad()(scoring(eager, capture=False)),
            warm=1 if way == EAGER else 3,
        )

    kind, note = setting.device.type, ""
    if kind != "cuda" and (way == CAPTURED or precision == "tf32"):
        note = f"on a {kind} it is eager" if way == CAPTURED else f"a {kind} has no tf32"
    return Case(
        "planning",
        name,
        settings,
        "candidate-steps",
        problems * count * steps,
        None if note else make,
        note,
        threads=threads,
        precision=setting.best_precision(precision),
        may_fail=way == COMPILED,
        targets=targets,
    )


def slots_of(name: str, setting: Setting) -> int:
    """K of a model at its own size."""
    return build(name, setting).num_slots


@torch.no_grad()
def begun(simulator: LatentSimulator, frames: Tensor) -> tuple[LatentState, Goal]:
    """Beliefs about the first half of some frames, and goals that show the other half."""
    model, problems = simulator.model, len(frames) // 2
    none = frames.new_zeros(len(frames), 0, model.action_size)
    both = model.encode(frames.unsqueeze(1), none)
    state, end = both.index(slice(problems)), both.index(slice(problems, None))
    slots = torch.ones(problems, model.num_slots, device=frames.device)
    same = torch.arange(model.num_slots, device=frames.device).expand(problems, -1)
    return state, Goal(simulator.view(end), same, slots, torch.zeros_like(slots))


def plain_score(
    model: WorldModel, frames: Tensor, actions: Tensor, outputs: str
) -> Callable[[], Tensor]:
    """Steps all candidates at once and compares what is read after each step."""
    problems, count, steps, _ = actions.shape
    with torch.no_grad():
        none = frames.new_zeros(len(frames), 0, model.action_size)
        both = model.encode(frames.unsqueeze(1), none)
        state, end = both.index(slice(problems)), both.index(slice(problems, None))
        aim = model.slots(end) if outputs == SLOTS else model.decode(end).frames
        aim = aim.repeat_interleave(count, 0)

    def run() -> Tensor:
        now, flat = state.repeat(count), actions.flatten(0, 1)
        cost = actions.new_zeros(len(flat))
        for t in range(steps):
            now = model.step(now, flat[:, t])
            if outputs == SLOTS:
                cost = cost + (model.slots(now) - aim).square().flatten(1).mean(1)
            elif outputs == ALL or t == steps - 1:
                cost = cost + (model.decode(now).frames - aim).square().flatten(1).mean(1)
        return cost.view(problems, count)

    return run
