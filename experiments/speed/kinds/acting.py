"""Rows of a control loop: from an image to an action, in a new episode and in one that goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from armillary.agent.mpc import MPCAgent
from armillary.experiments.evaluation.speed import Measured, Target
from armillary.experiments.speed.cases import Case, Setting, Work
from armillary.experiments.speed.kinds.searching import elites_of, plain_cem
from armillary.experiments.speed.subjects import OURS
from armillary.planners.cem import CEM
from armillary.planners.costs import Approach, LatentDistance, ObjectPosition, SlotMatching
from armillary.planners.objective import Objective, Term
from armillary.world_models.assignment import least_total
from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.model import WorldModel

_CHECKPOINT, _TASK = "pretrained/push_blocks", "armillary/PushBlocks-v0"
OBJECTIVES = {
    "slot_matching": {"slots": Term(SlotMatching())},
    "latent": {"latent": Term(LatentDistance())},
    "object_position": {"position": Term(ObjectPosition()), "approach": Term(Approach(), 0.1)},
}
FIRST, LATER = "first", "later"
"""Of a new episode, whose goal is read, or of one that goes on."""
_REACHED = Target(of="seconds", most=0.15)
"""On two cores."""


def cases(setting: Setting) -> Iterator[Case]:
    """With the bundled model: objectives for one problem; several problems at once."""
    if OURS not in setting.models:
        return
    for objective in OBJECTIVES:
        quick = objective == "slot_matching" and setting.size.published
        yield act(setting, objective, targets=(_REACHED,) if quick else ())
    yield act(setting, moment=LATER)
    for problems in setting.size.problems[1:]:
        yield act(setting, problems=problems)


def act(
    setting: Setting,
    objective: str = "slot_matching",
    *,
    moment: str = FIRST,
    problems: int = 1,
    candidates: int | None = None,
    horizon: int | None = None,
    capture: bool = True,
    targets: tuple[Target, ...] = (),
) -> Case:
    """The row of calls of ``MPCAgent.act`` with the bundled model and CEM."""
    size = setting.size
    samples, steps = candidates or size.candidates, horizon or size.horizon
    settings = {
        "moment": moment,
        "objective": objective,
        "problems": problems,
        "candidates": samples,
        "iterations": size.iterations,
        "horizon": steps,
        "threads": setting.threads,
        "way": "captured" if capture and setting.device.type == "cuda" else "eager",
    }

    def make() -> Work:
        env = gym.make(_TASK)
        assert isinstance(env.action_space, spaces.Box)
        observations = [env.reset(seed=setting.seed + i)[0] for i in range(problems)]
        model = load_model(_CHECKPOINT, str(setting.device))
        search = CEM(samples=samples, iterations=size.iterations, elites=elites_of(samples))
        made = Objective(OBJECTIVES[objective])
        seeds, all_ = range(problems), np.ones(problems, bool)

        def agent(**options: Any) -> Callable[[], object]:
            simulator = LatentSimulator(model, str(setting.device), **options)
            space = env.action_space
            planner = MPCAgent(simulator, made, search, space, steps)
            planner.reset(seeds)
            planner.act(observations, all_)

            def run() -> None:
                if moment == FIRST:
                    planner.reset(seeds)
                planner.act(observations, all_)

            return run

        images = np.stack([[o["image"], o["goal_image"]] for o in observations])
        return Work(
            agent(capture=capture),
            partial(_plain, model, images, steps, search, setting, moment),
            counted=agent(capture=False),
            warm=3,
            note=_hertz,
        )

    return Case(
        "planning", "act", settings, "actions", problems, make, targets=targets, ceiling="product"
    )


def _hertz(measured: Measured) -> str:
    return f"{1 / measured.seconds:.1f} Hz"


@torch.no_grad()
def _plain(
    model: WorldModel,
    images: np.ndarray,
    horizon: int,
    search: CEM,
    setting: Setting,
    moment: str,
) -> Tensor:
    """Encodes, matches every slot to the goal's and searches, all candidates at once."""
    problems, device = len(images), setting.device
    frames = torch.from_numpy(images).to(device).permute(0, 1, 4, 2, 3).float() / 255.0
    still = torch.zeros(problems, model.action_size, device=device)
    state = model.observe(None, still, frames[:, 0])
    for _ in range(model.context_length - 1 if moment == FIRST else 0):
        state = model.observe(state, still, frames[:, 0])
    end = model.observe(None, still, frames[:, 1])
    aim = model.slots(end)[:, None, None, None]

    def score(actions: Tensor) -> Tensor:
        count = actions.shape[1]
        now, costs = state.repeat(count), []
        for t in range(horizon):
            now = model.step(now, actions[:, :, t].flatten(0, 1))
            slots = model.slots(now).unflatten(0, (problems, count)).unsqueeze(3)
            distance = (slots - aim[:, 0]).square().mean(-1)
            costs.append(least_total(distance) / distance.shape[-1])
        return torch.stack(costs).mean(0)

    init = torch.zeros(problems, horizon, model.action_size, device=device)
    generators = [torch.Generator(device).manual_seed(problem) for problem in range(problems)]
    samples = [search.samples] * search.iterations
    return plain_cem(score, init, generators, samples=samples, elites=search.elites)
