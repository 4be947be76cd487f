"""Times the published models at their published sizes against a plain formulation.

Run with ``python -m benchmarks.published_models``; every measurement is a process of its own, ours
and the plain one in turn, so that peak memory is its own too. Seconds are medians of the repeats.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from armillary.world_models.iterative_slots import IterativeSlotModel
from armillary.world_models.model import Window, WorldModel
from armillary.world_models.registry import build_model
from armillary.world_models.vrnn import Vrnn
from benchmarks.plain_models import build_plain

TRAINING = ("sdvae_davos", "op3", "vrnn")
IMAGINING = ("sdvae", "op3", "vrnn")
LENGTHS = {"sdvae_davos": 3, "op3": 3, "vrnn": 10}
CONTEXT, HORIZON, ROLLOUTS = 2, 8, 100


def main() -> None:
    """Prints a table of ratios; with ``--one`` measures one case and prints it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--work", nargs="+", choices=("train", "imagine"), default=["train", "imagine"]
    )
    parser.add_argument("--models", nargs="+", default=["sdvae", "sdvae_davos", "op3", "vrnn"])
    parser.add_argument("--batch", type=int, default=4, help="clips per training iteration")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=3, metavar=("FORM", "WORK", "MODEL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        form, work, model = arguments.one
        print(json.dumps(measure(form, work, model, arguments.batch)))
        return
    print(f"{torch.get_num_threads()} threads, batch {arguments.batch}")
    print(
        f"{'work':8} {'model':12} {'form':10} {'seconds':>8} {'GB':>6} {'faster':>7} {'memory':>7}"
    )
    for work in arguments.work:
        for model in arguments.models:
            if model in (TRAINING if work == "train" else IMAGINING):
                compare(work, model, arguments.batch, arguments.repeats)


def compare(work: str, model: str, batch: int, repeats: int) -> None:
    """Prints the plain form of one case and ours."""
    forms = ["plain", "ours"]
    if work == "imagine":
        forms += ["bf16"] if model == "vrnn" else ["bf16", "slots"]
    seconds: dict[str, list[float]] = {form: [] for form in forms}
    memory: dict[str, list[float]] = {form: [] for form in forms}
    for _ in range(repeats):
        for form in forms:
            command = [
                sys.executable,
                "-m",
                "benchmarks.published_models",
                "--one",
                form,
                work,
                model,
            ]
            command += ["--batch", str(batch)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            result = json.loads(done.stdout.splitlines()[-1])
            seconds[form].append(result["seconds"])
            memory[form].append(result["gigabytes"])
    plain = statistics.median(seconds["plain"]), statistics.median(memory["plain"])
    for form in forms:
        median, most = statistics.median(seconds[form]), statistics.median(memory[form])
        print(
            f"{work:8} {model:12} {form:10} {median:8.2f} {most:6.2f} "
            f"{plain[0] / median:6.2f}x {plain[1] / most:6.2f}x",
            flush=True,
        )


def measure(form: str, work: str, name: str, batch: int) -> dict[str, float]:
    """Wall seconds of one case after a short warm-up, and the process's peak memory."""
    torch.manual_seed(0)
    built = (
        build_plain(name) if form == "plain" else build_model(name, image_size=64, action_size=4)
    )
    if work == "train":
        assert isinstance(built, IterativeSlotModel | Vrnn)
        run = training(built, LENGTHS[name], batch)
        training(built, 3, 1)()
    else:
        run = imagining(built, ROLLOUTS, form)
        imagining(built, 1, form)()
    started = time.perf_counter()
    run()
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return {"seconds": seconds, "gigabytes": peak * unit / 1e9}


def training(model: WorldModel, length: int, batch: int) -> Callable[[], None]:
    """One iteration: loss, gradient, clipping and Adam."""
    optimizer = torch.optim.Adam(model.parameters(), 3e-4)
    window = Window(
        torch.rand(batch, length, 3, 64, 64),
        torch.randn(batch, length - 1, 4),
        torch.zeros(batch, length, 0, 0),
    )

    def run() -> None:
        model.loss(window, model.objectives[0], 0).total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        optimizer.zero_grad()

    return run


def imagining(model: WorldModel, rollouts: int, form: str) -> Callable[[], None]:
    """The context of one video, then rollouts of which every frame is decoded (or none)."""
    frames, actions = torch.rand(1, CONTEXT, 3, 64, 64), torch.randn(1, CONTEXT + HORIZON - 1, 4)
    model.eval()

    def run() -> None:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=form == "bf16"):
            state = model.encode(frames, actions[:, : CONTEXT - 1]).repeat(rollouts)
            for t in range(CONTEXT - 1, CONTEXT + HORIZON - 1):
                noise = torch.randn(rollouts, *model.noise_shape)
                state = model.step(state, actions[:, t].expand(rollouts, -1), noise)
                if form != "slots":
                    assert model.decode(state).frames.shape[0] == rollouts

    return run


if __name__ == "__main__":
    main()
