"""Everything that needs a device, in one run of five minutes: equality, targets, tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

import armillary
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.stored import read
from armillary.experiments.evaluation.results import RESULTS, Training
from armillary.experiments.evaluation.speed import Check, Measured, Row, Target
from armillary.experiments.speed.cases import Case, Setting
from armillary.experiments.speed.kinds.acting import act
from armillary.experiments.speed.kinds.planning import (
    ALL,
    CAPTURED,
    EAGER,
    OUTPUTS,
    SLOTS,
    begun,
    score,
)
from armillary.experiments.speed.kinds.training import published, step
from armillary.experiments.speed.sizes import SIZES, Size
from armillary.experiments.speed.subjects import OURS, build, imagining
from armillary.world_models.latent import LatentSimulator
from armillary.world_models.model import WorldModel
from armillary.world_models.training.schedule import Stage

SECONDS = 300.0
_LATE = f"not finished within {SECONDS:.0f} s"
_ROOT = Path(str(armillary.__file__)).parent.parent
_RELATIVE, _ABSOLUTE = 1e-3, 1e-4
"""By which captured and eager may differ."""


def require(device: torch.device, asked: str) -> None:
    """Raises UsageError unless there is a GPU, or the processor was asked for to try this out."""
    if device.type != "cuda" and asked != "cpu":
        built = "without CUDA" if torch.version.cuda is None else f"for CUDA {torch.version.cuda}"
        raise UsageError(
            f"--device-checks needs a CUDA device, and torch {torch.__version__} (built {built}) "
            "sees none; run it where there is one, or try it out at toy size with device=cpu"
        )


def size(device: torch.device) -> Size:
    """What fits into the time; toys on a processor."""
    return replace(SIZES["default"], steps=20) if device.type == "cuda" else SIZES["smoke"]


class Deadline:
    """When the run has to end.

    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self._end - time.monotonic())


def cases(setting: Setting) -> Iterator[Case]:
    """What is to be reached on an H100, but for the training end to end; toys on a processor."""
    return (replace(case, may_fail=True) for case in _cases(setting, not setting.size.published))


def _cases(setting: Setting, toy: bool) -> Iterator[Case]:
    plans = ((1, 300, 8, 0.012), (50, 300, 8, 0.060), (1, 3000, 12, 0.030))
    for problems, candidates, horizon, most in plans:
        few = (min(problems, 2), 8, 2) if toy else (problems, candidates, horizon)
        count, samples, steps = few
        yield act(
            setting, problems=count, candidates=samples, horizon=steps, targets=_seconds(most)
        )
    joint = Stage("joint", steps=1, batch_size=2 if toy else 64, length=2 if toy else 6)
    yield step(
        setting, OURS, joint, targets=_seconds(0.014), image_size=32 if toy else 64, num_slots=6
    )
    trained = (
        ("sdvae_davos", 16, 3, 0.045, 11_900),
        ("op3", 16, 3, 0.040, 6_600),
        ("vrnn", 16, 10, 0.045, 3_800),
        ("sdvae_davos", 8, 10, 0.110, 26_900),
    )
    for name, clips, length, most, theirs in trained:
        stage = published(setting, name, 1 if toy else clips, min(length, 4) if toy else length)
        memory = Target(of="megabytes", most=theirs / 3)
        yield step(setting, name, stage, targets=(*_seconds(most), memory))
    samples, steps = (2, 2) if toy else (100, 8)
    imagined = (  # the VRNN sees its own frames, so that it has no slots alone
        *(("sdvae", ALL, 0.035), ("op3", ALL, 0.035), ("vrnn", ALL, 0.018)),
        *(("sdvae", SLOTS, 0.005), ("op3", SLOTS, 0.005)),
    )
    for name, outputs, most in imagined:
        yield score(
            setting,
            name,
            outputs=outputs,
            candidates=samples,
            horizon=steps,
            way=EAGER if toy else CAPTURED,
            targets=_seconds(most),
        )


def _seconds(most: float) -> tuple[Target, ...]:
    return (Target(of="seconds", most=most),)


def end_to_end(setting: Setting, deadline: Deadline) -> Row:
    """The row of ``armillary train experiment=push_blocks/slot_dynamics``, encoding left out."""
    episodes, most = (600, 1000) if setting.size.published else (8, 10)
    data, run = setting.scratch / "push.h5", setting.scratch / "push"
    row = Row(
        group="training",
        name="armillary train",
        settings={"experiment": "push_blocks/slot_dynamics", "steps": most},
        unit="steps",
        targets=[Target(of="rate", least=200.0)],
    )
    collect = ["collect", f"episodes={episodes}", f"out={data}", f"output={run}-data"]
    train = ["train", f"data.path={data}", f"trainer.max_steps={most}", f"output={run}"]
    for words in (collect, [*train, f"trainer.device={setting.device.type}"]):
        ended = _run("armillary", words, deadline)
        if ended is None or ended.returncode:
            why = _LATE if ended is None else ended.stderr.strip()[-500:]
            return row.model_copy(update={"note": f"armillary {words[0]}: {why}"})
    found = read(run / RESULTS, Training)
    seconds = found.seconds / found.steps
    numbers = Measured(rate=1 / seconds, seconds=seconds, spread=0.0)
    reached = [target.met(numbers) for target in row.targets]
    return row.model_copy(update={"measured": numbers, "reached": reached})


def _run(
    module: str, words: Sequence[str], deadline: Deadline, folder: Path | None = None
) -> subprocess.CompletedProcess[str] | None:
    """Runs a module as a command; None where it does not end in time."""
    paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
    try:
        return subprocess.run(
            [sys.executable, "-m", module, *words],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=max(1.0, deadline.left),
        )
    except subprocess.TimeoutExpired:
        return None


def equal(setting: Setting) -> Iterator[Check]:
    """Whether what is captured gives what eager gives, for every model: beliefs and scores."""
    records = setting.device.type == "cuda"
    for name in imagining(list(setting.models)):
        model = build(name, setting)
        (eager, _, _), (captured, replayed, refused) = (
            _results(model, setting, capture) for capture in (False, True)
        )
        pairs = [pair for pair in zip(eager, captured, strict=True) if pair[0].numel()]
        worst = max(float((one - other).abs().max()) for one, other in pairs)
        close = all(torch.allclose(one, other, _RELATIVE, _ABSOLUTE) for one, other in pairs)
        yield Check(
            name=f"captured equals eager: {name}",
            passed=close and not refused and (replayed > 0 or not records),
            told=f"greatest difference {worst:.2g} of beliefs and scores; "
            + (f"{replayed} shapes replayed" if records else "nothing is captured here")
            + "".join(f", not {name}" for name in refused),
        )


@torch.no_grad()
def _results(
    model: WorldModel, setting: Setting, capture: bool
) -> tuple[list[Tensor], int, tuple[str, ...]]:
    """Beliefs and scores of the same inputs, how many shapes are replayed, and what cannot be.

    The first call of a shape never is.
    """
    size, device, random = model.image_size, setting.device, setting.generator()
    simulator = LatentSimulator(model, str(device), particles=2, capture=capture)
    results: list[Tensor] = []
    for _ in range(3):
        frames = torch.rand(4, 3, size, size, generator=random)
        actions = torch.rand(2, 3, 2, model.action_size, generator=random)
        images = (255 * frames[:2].permute(0, 2, 3, 1)).byte().numpy()
        state, goal = begun(simulator, frames.to(device))
        observed = [{"image": image} for image in images]
        state = simulator.observe(state, actions[:, 0, 0].numpy(), observed)
        results += state.tensors().values()
        for objective in OUTPUTS.values():
            noise = [torch.Generator(device).manual_seed(i) for i in range(2)]
            results.append(simulator.score(state, actions.to(device), objective, goal, noise))
    return results, simulator.replayed, simulator.refused


def marked_tests(deadline: Deadline, folder: Path = _ROOT / "tests") -> Check:
    """Runs the tests marked ``cuda``, where there is a checkout."""
    name = "tests marked cuda"
    files = [
        path for path in sorted(folder.rglob("test_*.py")) if "mark.cuda" in path.read_text("utf-8")
    ]
    if not files:
        return Check(name=name, passed=True, told=f"there are none: no checkout in {_ROOT}")
    words = ["-q", "-m", "cuda", "-p", "no:cacheprovider", *map(str, files)]
    ended = _run("pytest", words, deadline, folder.parent)
    if ended is None:
        return Check(name=name, passed=False, told=_LATE)
    lines = (ended.stdout + ended.stderr).strip().splitlines()
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    told = "; ".join([*failed[:5], *lines[-1:]])
    return Check(name=name, passed=ended.returncode == 0, told=told[:1000])
