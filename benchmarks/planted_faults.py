"""Plants faults in the bundled model, its cost and its search, and counts those named right.

Run with ``python benchmarks/planted_faults.py``; every fault is diagnosed as ``armillary diagnose``
does it, on push_blocks, with about a quarter of the usual search.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from armillary.envs.push_blocks.oracle import PushOracle
from armillary.experiments.command.config import compose
from armillary.experiments.diagnosis.arms import strided
from armillary.experiments.planning.entries import learned_entry
from armillary.experiments.verbs.diagnose import diagnosed
from armillary.world_models.checkpoints.checkpoint import load_model
from armillary.world_models.model import WorldModel

CHECKPOINT = "pretrained/push_blocks"
SEARCH = ("planner.samples=100", "planner.elites=12", "planner.iterations=4", "horizon=12")

Step = Callable[..., Any]


@dataclass(frozen=True)
class Fault:
    """What is wrong, and who is to be named.

    Attributes:
        culprit: the right verdict.
        words: of ``diagnose``.
        spoil: makes a wrong ``step`` of a model's own.
    """

    culprit: str
    words: Sequence[str] = ()
    spoil: Callable[[Step], Step] | None = None


def noisy(step: Step) -> Step:
    """Places jump at every step."""
    drawn = torch.Generator().manual_seed(0)

    def spoiled(state: Any, action: Tensor, noise: Tensor | None = None) -> Any:
        after = step(state, action, noise)
        after.position.add_(0.1 * torch.randn(after.position.shape, generator=drawn))
        return after

    return spoiled


def scaled(*factors: float) -> Callable[[Step], Step]:
    """Actions are taken for others."""

    def spoil(step: Step) -> Step:
        return lambda state, action, noise=None: step(state, action * torch.tensor(factors), noise)

    return spoil


FAULTS = {
    "nothing": Fault("none"),
    "noisy dynamics": Fault("model", spoil=noisy),
    "actions a fifth of what they are": Fault("model", spoil=scaled(0.2, 0.2)),
    "actions three times what they are": Fault("model", spoil=scaled(3.0, 3.0)),
    "actions mirrored": Fault("model", spoil=scaled(-1.0, 1.0)),
    "merged slots": Fault("model", ["num_slots=3"]),
    "the pusher is all that counts": Fault("cost", ["objective.terms.object_position.weight=0"]),
    "effort outweighs the goal": Fault(
        "cost", ["objective=effort", "objective.terms.effort.weight=10"]
    ),
    "the pusher is taken for an object": Fault("cost", ["goal.effector=none"]),
    "starved search": Fault(
        "search", ["planner.samples=2", "planner.elites=2", "planner.iterations=1"]
    ),
    "short-sighted search": Fault("search", ["horizon=2"]),
}


def main() -> None:
    """Prints a line for each fault, and the count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=6)
    parser.add_argument("--looks", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", nargs="+", default=[*FAULTS], choices=FAULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    right = 0
    for name in arguments.faults:
        fault = FAULTS[name]
        words = [f"{key}={getattr(arguments, key)}" for key in ("episodes", "looks", "seed")]
        found = diagnose(fault, words)
        right += found.verdict == fault.culprit
        rates = ", ".join(f"{one.label} {one.success_rate:.0%}" for one in found.evidence.rows)
        print(f"{name}: {found.verdict}, planted {fault.culprit}\n  {rates}", flush=True)
        print(f"  {found.evidence.reasons[0]}", flush=True)
    print(f"{right} of {len(arguments.faults)} named right")


def diagnose(fault: Fault, words: Sequence[str]) -> Any:
    """What ``diagnosed`` finds of a fault."""
    with tempfile.TemporaryDirectory() as output:
        given = [f"checkpoint={CHECKPOINT}", *SEARCH, "workers=0", f"output={output}", *words]
        last = {word.partition("=")[0]: word for word in [*given, *fault.words]}
        config = compose("diagnose", [*last.values()])
        model: WorldModel = load_model(CHECKPOINT, num_slots=config.num_slots)
        if fault.spoil is not None:
            model.step = fault.spoil(model.step)
        entry = learned_entry(CHECKPOINT, model, config)
        physics = strided(PushOracle(model.image_size), entry.stride)
        return diagnosed(entry, config, physics)


if __name__ == "__main__":
    main()
