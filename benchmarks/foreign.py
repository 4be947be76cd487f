"""Takes an environment that others wrote from episodes to a planned one, at the least size.

Run with ``python -m benchmarks.foreign gym_pusht:gym_pusht/PushT-v0``; where it cannot be made or
drawn on this machine, that is said and nothing is tried.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import closing
from pathlib import Path

from armillary import ArmillaryError, ImageGoalEnv
from armillary.experiments.cli import main as armillary

TRAINING = ("trainer.max_steps=2", "trainer.batch_size=2", "trainer.validation_clips=1")
SEARCH = ("planner.samples=8", "planner.iterations=2", "planner.elites=2", "horizon=4")


def main() -> None:
    """Runs the commands; exits with 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment", help="PACKAGE_MODULE:Id-v0")
    parser.add_argument("words", nargs="*", help="further settings, task.environment.KEY=VALUE")
    arguments = parser.parse_args()
    os.environ.setdefault("MUJOCO_GL", "egl")
    trouble = why_not(arguments.environment)
    if trouble:
        print(f"SKIPPED {arguments.environment}: {trouble}")
        return
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for words in commands(arguments.environment, arguments.words, Path(folder)):
            print("armillary", *words, flush=True)
            if armillary(words):
                raise SystemExit(1)
    print(f"{arguments.environment}: {time.perf_counter() - started:.0f} s")


def why_not(environment: str) -> str:
    """Why it cannot be made or drawn here; empty where it can."""
    try:
        with closing(ImageGoalEnv(environment)) as env:
            env.reset(seed=0)
    except (ArmillaryError, ImportError, AttributeError, RuntimeError, OSError) as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return ""


def commands(environment: str, more: list[str], folder: Path) -> list[list[str]]:
    """From episodes to a table of success."""
    task = [
        "task=image_goal",
        f"environment={environment}",
        "task.environment.image_size=32",
        *more,
    ]
    data, model = f"{folder}/episodes.h5", f"{folder}/model"
    collected = [*task, "episodes=4", "length=14", "workers=0", f"out={data}"]
    played = [*task, *SEARCH, "task.max_steps=4", "episodes=1", "objective=pixel"]
    return [
        ["collect", *collected, f"output={folder}/collect"],
        ["train", f"data.path={data}", *TRAINING, f"output={model}"],
        ["benchmark", *played, f"simulators=[random,noop,{model}]", f"output={folder}/bench"],
        ["plan", *played, f"checkpoint={model}", f"output={folder}/plan"],
    ]


if __name__ == "__main__":
    main()
