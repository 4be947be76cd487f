"""Directories of runs: run.json, config.yaml, results.json, and the page made of them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from random import Random
from typing import Any

from yaml import safe_load

from armillary.experiments.evaluation.results import OF_VERB, read_results
from armillary.experiments.evaluation.store import Store, check_identity
from armillary.experiments.pages.report import report_page
from armillary.experiments.pages.runs import read_runs
from armillary.experiments.running.run_directory import check
from tests.experiments.pages import report_runs
from tests.reliability.fuzz.mutate import values, yaml
from tests.reliability.fuzz.reader import Files, Reader, replaced

_MADE: dict[str, Any] = {"config": {"a": 1}, "commit": "0123456", "versions": {"torch": "2.6"}}
_DISTANCES = [0.4, None, 0.1]
_ROW: dict[str, Any] = {
    "task": "push_blocks",
    "simulator": "oracle",
    "planner": "cem",
    "episodes": 4,
    "successes": 1,
    "success_rate": 0.25,
    "ci95": [0.1, 0.6],
    "steps_to_success": 9,
    "plan_seconds": 0.1,
    "seed": 0,
    "success_by": "true places",
    "schedule": {"horizon": 6, "executed": 2},
    "share": 0.5,
}
_PLAYED = {"seed": 0, "success": True, "steps": 3, "actions": [[0.1, 0.2]], "distances": _DISTANCES}
_RENDERED = {"seed": 0, "success": True, "steps": 3, "distances": _DISTANCES}
_RESULTS: dict[str, dict[str, Any]] = {
    "plan": {"rows": [_ROW], "episodes": [_PLAYED], **_MADE},
    "render": {
        "checkpoint": "runs/x",
        "data": "d.h5",
        "split": "val",
        "episode": 0,
        "files": ["plan.gif", "plan.png"],
        "rollout": {"psnr": [20.0, 19.0]},
        "plan": _RENDERED,
        **_MADE,
    },
    "train": {
        "steps": 10,
        "seconds": 3.5,
        "metrics": {"open_loop_psnr": 20.1, "open_loop_ari": None, "open_loop_psnr/3": 19.0},
        "data": {"path": "d.h5", "digest": "0" * 64},
        "remarks": ["more steps would help"],
    },
    "generate": {"file": "v.h5", "videos": 3, "arrays": {"videos": "(3, 4) uint8"}, **_MADE},
    "fvd": {
        "distances": {
            "fvd": {
                "mean": 3.5,
                "std": 0.2,
                "per_population": [3.4, 3.6],
                "feature_size": 400,
                "network": {"weights": "i3d.pt", "sha256": "0" * 64},
            }
        },
        "populations": 2,
        "videos": {"real": 8, "generated": 8},
        "frames": 12,
        "image_size": [32, 32],
        "files": {"real": [{"path": "r.h5", "videos": 16, "attributes": {"seed": 1}}]},
        **_MADE,
    },
    "selftest": {
        "checkpoint": "runs/x",
        "same": True,
        "episodes": [{"task": "push_blocks", "planner": "cem", "there": _PLAYED, "here": _PLAYED}],
        **_MADE,
    },
    "diagnose": {
        "checkpoint": "runs/x",
        "verdict": "model",
        "evidence": {
            "reasons": ["true dynamics help the most"],
            "certain": True,
            "rows": [{**_ROW, "name": "as it is"}, {**_ROW, "name": "true dynamics"}],
            "comparisons": [
                {
                    "a": "true dynamics",
                    "b": "as it is",
                    "difference": 0.5,
                    "ci95": [0.1, 0.8],
                    "episodes": 4,
                    "episodes_needed": 12,
                }
            ],
            "stages": [
                {
                    "stage": 0,
                    "predicted_true": 0.5,
                    "predicted_shown": None,
                    "shown_true": 0.9,
                    "plans": 3,
                }
            ],
            "surroundings": [{"radius": 0.1, "predicted": 0.6, "true": 0.9}],
            "imagination": {
                "imagined": [0.1, 0.2],
                "copied": [0.3, 0.4],
                "shuffled": [0.5, 0.6],
                "moments": [4, 3],
                "horizon": 2,
                "shuffled_ratio": 1.5,
            },
            "sight": {"things": 12, "lost": 0.1, "merged": 0.0},
            "left_out": ["true cost: it has one slot"],
        },
        **_MADE,
    },
    "train-proposals": {"horizon": 8, "episodes": 3, "errors": {"val": 0.2}, **_MADE},
    "export": {
        "checkpoint": "runs/x",
        "tolerance": 1e-4,
        "files": {"step.pt2": {"bytes": 9, "rows": [1, 3], "difference": 1e-6}},
        **_MADE,
    },
    "bench": {
        "machine": {"processor": "x", "processors": 2, "threads": 1, "device": "cpu"},
        "identity": "0",
        "seed": 0,
        "rows": [
            {
                "group": "search",
                "name": "cem",
                "settings": {"problems": 1},
                "unit": "solves",
                "measured": {"rate": 9.0, "seconds": 0.1, "spread": 0.1, "where": {"mm": 0.5}},
                "targets": [{"of": "seconds", "most": 0.2}],
                "reached": [True],
            }
        ],
        **_MADE,
    },
    "demo": {"collect": 1.0, "train": 2.0, "benchmark": 3.0, "render": 4.5},
    "collect": {"episodes": 3, "bytes": 10, **_MADE},
}
"""Of the verbs whose results no helper of the page's tests makes."""

_CONFIG = """\
seed: 3
horizon: 6
replan_interval: 2
data: {path: push.h5}
model: {image_size: 32}
task:
  name: push_blocks
  max_steps: 20
  environment: {frameskip: 2}
planner: {_target_: CEM, samples: 100}
goal: {items: [{color: red}]}
"""


def _directories() -> list[Files]:
    """One run of each verb, and its verb."""
    made: list[Files] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report_runs.evaluation(folder / "evaluate", horizon=3)
        report_runs.benchmark(folder / "benchmark", {"random": 3, "runs/x": 20})
        for verb, results in _RESULTS.items():
            report_runs.record(folder / verb, verb)
            (folder / verb / "results.json").write_text(json.dumps(results), encoding="utf-8")
        for run in sorted(folder.iterdir()):
            files = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
            made.append({**files, "config.yaml": _CONFIG.encode()})
    return made


def _record(random: Random, files: Files) -> Files:
    name = "run.json" if random.random() < 0.7 else "config.yaml"
    damage = values.json_damaged if name == "run.json" else yaml.damaged
    return replaced(random, files, name, damage(random, files[name]))


def _results(random: Random, files: Files) -> Files:
    return replaced(
        random, files, "results.json", values.json_damaged(random, files["results.json"])
    )


def _any(random: Random, files: Files) -> Files:
    return (_results if random.random() < 0.6 else _record)(random, files)


def _read_run(folder: Path) -> object:
    (run,) = read_runs([folder])
    return run.facts, run.trouble, run.raw()


def _collected() -> list[Files]:
    """A run of a verb whose settings must be the same when it is run again."""
    return [files for files in _directories() if b'"verb": "collect"' in files["run.json"]]


def _run_again(folder: Path) -> None:
    check(folder, "collect", safe_load(_CONFIG))


def _read_results(folder: Path) -> object:
    verb = json.loads((folder / "run.json").read_bytes())["verb"]
    return read_results(folder, verb if verb in OF_VERB else "collect")


def _page(folder: Path) -> object:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        return report_page(read_runs([folder]), None, 10**7, Path(scratch))


_IDENTITY: dict[str, Any] = {
    "context": 2,
    "horizon": 8,
    "weights": {"model.safetensors": "0" * 64},
    "data": "push.h5",
    "metrics": ["psnr"],
    "lpips": None,
}


def _identities() -> list[Files]:
    return [{"partial/identity.json": json.dumps(_IDENTITY).encode()}]


def _identity(random: Random, files: Files) -> Files:
    name = "partial/identity.json"
    return {name: values.json_damaged(random, files[name])}


def _begin(folder: Path) -> None:
    Store(folder).begin(_IDENTITY)
    check_identity(folder, _IDENTITY, _IDENTITY)


READERS = (
    Reader("results-json", _directories, _results, _read_results, share=9),
    Reader("run-record", _directories, _record, _read_run, share=2),
    Reader("run-directory", _collected, _record, _run_again),
    Reader("report-page", _directories, _any, _page, share=1),
    Reader("evaluation-identity", _identities, _identity, _begin, share=4),
)
