"""Trains a toy model in one or several processes: ``python -m`` this, with a request in JSON.

The request names the data, the folder and the runs; the process that leads writes per run what
happened to ``RUN.json``. Not a test itself: Fabric starts this module once per process.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

import tests.world_models.training.models  # registers
from armillary.world_models.data import EpisodeFile
from armillary.world_models.registry import build_model
from armillary.world_models.training.schedule import Stage
from armillary.world_models.training.trainer import Trainer, TrainingError
from tests.world_models.training.runs import Recorder, config

__all__ = ["ask", "tests"]


def ask(name: str, stages: tuple[Stage, ...], **changes: Any) -> dict[str, Any]:
    """A run to ask for: its name, which directory, model and settings, and where to stop it."""
    request = {"name": name, "directory": name, "model": "toy", "model_settings": {}, "stop_at": 0}
    own = {key: changes.pop(key) for key in list(changes) if key in request}
    return {**request, **own, "stages": [asdict(stage) for stage in stages], "changes": changes}


def main() -> None:
    request = json.loads(sys.argv[1])
    folder = Path(request["folder"])
    data = EpisodeFile(request["data"])
    torch.set_num_threads(1)
    for run in request["runs"]:
        stages = tuple(Stage(**stage) for stage in run["stages"])
        settings = config(stages, **run["changes"])
        # Other weights in each process: those of the first must win.
        torch.manual_seed(int(os.environ.get("LOCAL_RANK", 0)))
        model = build_model(run["model"], **run["model_settings"])
        record = Recorder(stop_at=run["stop_at"] or None)
        trainer = Trainer(settings, folder / run["directory"], [record])
        told: dict[str, Any] = {"error": None}
        try:
            outcome = trainer.fit(model, data.split("train"), data.split("val"))
            told["step"] = outcome.step
        except TrainingError as error:
            told["error"] = str(error)
        if trainer.leads:
            told["losses"] = [report.losses for report in record.steps]
            told["norms"] = [report.gradient_norm for report in record.steps]
            told["validations"] = [report.step for report in record.validations]
            (folder / f"{run['name']}.json").write_text(json.dumps(told))
        else:
            assert not record.steps


if __name__ == "__main__":
    main()
