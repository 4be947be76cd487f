"""Training beside other work: steps a second, alone and beside busy processes, before and now.

    git worktree add ../before bce7859
    python benchmarks/threads.py --before ../before

Every round measures both sides alone and then both beside ``--busy`` processes that compute without
pause, each side in a process of its own; the tables show medians and ratios within a round. Without
``--before``, the former behaviour is that of today's code with as many threads as processors, that
spin as long as libgomp likes. What is trained is the discovery of ``slot_dynamics``, batch 20.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
BUSY = "while True: pass"
STEPS_MOST = 10**9


def main() -> None:
    """Measures, prints a table and, where asked, writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="a checkout of former code")
    parser.add_argument("--busy", type=int, default=2, help="processes beside it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument(
        "--settle", type=float, default=15.0, help="seconds before it that are not counted"
    )
    parser.add_argument("--json", type=Path, help="where to write every figure")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _train(options.child)
        return
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "episodes.h5"
        _collect(data)
        for number in range(options.rounds):
            for busy in (0, options.busy):
                sides = ["before", "now"] if number % 2 == 0 else ["now", "before"]
                for side in sides:
                    with _company(busy):
                        rate = _measure(side, options, data, Path(folder) / "run")
                    name = f"{side}, {busy} busy"
                    figures.setdefault(name, []).append(rate)
                    print(f"round {number + 1}: {name}: {rate:.2f} steps/s", flush=True)
    _show(figures, options.busy)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _collect(data: Path) -> None:
    words = ["collect", "episodes=60", f"out={data}", f"output={data.parent / 'collect'}"]
    command = [sys.executable, "-m", "armillary", *words]
    path = {**os.environ, "PYTHONPATH": str(HERE)}
    subprocess.run(command, check=True, env=path, capture_output=True)


@contextmanager
def _company(count: int) -> Iterator[None]:
    """So many busy processes of one thread each."""
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def _measure(side: str, options: argparse.Namespace, data: Path, output: Path) -> float:
    """Steps a second of one side, in a process of its own."""
    former = side == "before"
    root = options.before.resolve() if former and options.before else HERE
    job = {
        "prefix": "armillary." if (root / "armillary").is_dir() else "",
        "follow": not former,
        "data": str(data),
        "output": f"{output}-{time.monotonic_ns()}",
        "settle": options.settle,
        "seconds": options.seconds,
    }
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("OMP_", "GOMP_", "MKL_"))}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), "--child", json.dumps(job)],
        env={**kept, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return float(done.stdout.split()[-1])


def _train(job: dict[str, Any]) -> None:
    """Trains for a while and prints how many steps it did a second."""
    prefix = job["prefix"]

    def load(name: str) -> Any:
        return importlib.import_module(prefix + name)

    if job["follow"]:
        load("experiments.cli")  # as on the command line, where it bounds the spinning
    config, callbacks = (
        load("world_models.training.config"),
        load("world_models.training.callbacks"),
    )
    stage = load("world_models.training.schedule").Stage("discovery", 1.0, batch_size=20, length=3)
    fixed = {} if job["follow"] or not prefix else {"threads": len(os.sched_getaffinity(0))}
    episodes = load("world_models.data").EpisodeFile(Path(job["data"]))
    model = load("world_models.registry").build_model(
        "slot_dynamics", image_size=32, action_size=2, num_slots=5
    )
    times: list[float] = []

    class Watch(callbacks.Callback):
        def on_step(self, report: Any) -> None:
            times.append(time.monotonic())

    settings = config.TrainerConfig(
        stages=(stage,),
        max_minutes=(job["settle"] + job["seconds"]) / 60,
        device="cpu",
        checkpoint_every=STEPS_MOST,
        validate_every=STEPS_MOST,
        validation_clips=1,
        **fixed,
    )
    began = time.monotonic()
    trainer = load("world_models.training.trainer").Trainer(settings, job["output"], [Watch()])
    trainer.fit(model, episodes.split("train"), episodes.split("val"))
    counted = [moment for moment in times if moment > began + job["settle"]]
    if len(counted) < 2:
        sys.exit("fewer than two steps were counted; ask for more --seconds")
    print((len(counted) - 1) / (counted[-1] - counted[0]))


def _show(figures: dict[str, list[float]], busy: int) -> None:
    processors = len(os.sched_getaffinity(0))
    share = max((processors - busy) / processors, 1 / (busy + 1))
    middle = {name: statistics.median(rates) for name, rates in figures.items()}
    print(f"\n{processors} processors; medians of {len(figures['now, 0 busy'])} rounds, steps/s")
    for name, rate in middle.items():
        print(f"  {name:<16} {rate:8.2f}")
    alone = [n / b for n, b in zip(figures["now, 0 busy"], figures["before, 0 busy"], strict=True)]
    print(f"alone, now / before: {statistics.median(alone):.2f}")
    pairs = zip(figures[f"now, {busy} busy"], figures["before, 0 busy"], strict=True)
    fair = [beside / (share * before) for beside, before in pairs]
    print(
        f"beside {busy} busy processes, now / ({share:.2f} of before alone): "
        f"{statistics.median(fair):.2f}"
    )


if __name__ == "__main__":
    main()
