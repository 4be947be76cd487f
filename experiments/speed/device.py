"""The run of five minutes for a device: its rows with their targets, training, marked tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

import armillary
from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.stored import read
from armillary.experiments.evaluation.results import RESULTS, Training
from armillary.experiments.evaluation.speed import Check, Measured, Row, Target
from armillary.experiments.speed.cases import Case, Setting
from armillary.experiments.speed.kinds.acting import FIRST, LATER, act
from armillary.experiments.speed.kinds.planning import ALL, CAPTURED, COMPILED, EAGER, SLOTS, score
from armillary.experiments.speed.kinds.training import published, step
from armillary.experiments.speed.sizes import SIZES, Size
from armillary.experiments.speed.subjects import OURS
from armillary.world_models.training.schedule import Stage

SECONDS = 300.0
_ROOT = Path(str(armillary.__file__)).parent.parent
_NOT_JUDGED = "not judged at this size"
_OF_CHECKS, _OF_ROWS, _OF_TRAINING = 0.4, 0.7, 0.5
"""Shares of the time after which no comparison and no row begins, so that the tests have theirs;
and of what is left to rows the share of training end to end."""


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
        self.late = f"not finished within {seconds:.0f} s"
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self._end - time.monotonic())

    def part(self, share: float) -> Deadline:
        """The end of a share of what is left."""
        return Deadline(share * self.left)

    @property
    def of_checks(self) -> Deadline:
        """When no comparison begins any more."""
        return self.part(_OF_CHECKS)

    @property
    def of_rows(self) -> Deadline:
        """When no row begins any more; the tests have the rest."""
        return self.part(_OF_ROWS)


def cases(setting: Setting) -> Iterator[Case]:
    """What is to be reached on an H100, but for the training end to end; toys on a processor."""
    toy = not setting.size.published
    for case in _cases(setting, toy):
        judged = {"targets": (), "note": case.note or _NOT_JUDGED} if toy else {}
        yield replace(case, may_fail=True, **judged)


def _cases(setting: Setting, toy: bool) -> Iterator[Case]:
    """What takes longest comes last."""
    plans = ((1, 300, 8, 0.012), (50, 300, 8, 0.060), (1, 3000, 12, 0.030))
    for problems, candidates, horizon, most in plans:
        few = (min(problems, 2), max(8, candidates // 300), 2)
        count, samples, steps = few if toy else (problems, candidates, horizon)
        for moment in (FIRST, LATER):
            yield act(
                setting,
                moment=moment,
                problems=count,
                candidates=samples,
                horizon=steps,
                targets=_seconds(most),
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
    samples, steps, way = (2, 2, EAGER) if toy else (100, 8, CAPTURED)
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
            way=way,
            targets=_seconds(most),
        )
    for precision in ("float32", "tf32", "bfloat16"):
        yield score(setting, OURS, precision=precision, way=way)
    if not toy:  # takes seconds to compile whatever its size
        yield score(setting, OURS, way=COMPILED)


def _seconds(most: float) -> tuple[Target, ...]:
    return (Target(of="seconds", most=most),)


def end_to_end(setting: Setting, rows: Deadline) -> Row:
    """The row of ``armillary train experiment=push_blocks/slot_dynamics``, encoding left out."""
    toy, deadline = not setting.size.published, rows.part(_OF_TRAINING)
    episodes, most = (8, 10) if toy else (600, 1000)
    data, run = setting.scratch / "push.h5", setting.scratch / "push"
    row = Row(
        group="training",
        name="armillary train",
        settings={"experiment": "push_blocks/slot_dynamics", "steps": most},
        unit="steps",
        note=_NOT_JUDGED if toy else "",
        targets=[] if toy else [Target(of="rate", least=200.0)],
    )
    collect = ["collect", f"episodes={episodes}", f"out={data}", f"output={run}-data"]
    train = ["train", f"data.path={data}", f"trainer.max_steps={most}", f"output={run}"]
    for words in (collect, [*train, f"trainer.device={setting.device.type}"]):
        ended = _run("armillary", words, deadline)
        if ended is None or ended.returncode:
            why = deadline.late if ended is None else ended.stderr.strip()[-500:]
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
        return Check(name=name, passed=False, told=deadline.late)
    lines = (ended.stdout + ended.stderr).strip().splitlines()
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    told = "; ".join([*failed[:5], *lines[-1:]])
    return Check(name=name, passed=ended.returncode == 0, told=told[:1000])
