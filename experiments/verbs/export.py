"""The verb ``export``: a model's programs for torch and ONNX, a manifest, and how to run them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig

from armillary.experiments import templates
from armillary.experiments.command.console import counting, joined, results
from armillary.experiments.command.errors import RunError, UsageError
from armillary.experiments.command.stored import write
from armillary.experiments.evaluation.results import RESULTS, Exported, Written
from armillary.experiments.running.provenance import made_with
from armillary.files import write_bytes, write_json
from armillary.world_models.checkpoints.checkpoint import load_model, read_info
from armillary.world_models.exporting.making import ONNX, TORCH, Made, make
from armillary.world_models.exporting.manifest import MANIFEST, manifest
from armillary.world_models.exporting.onnx_files import missing_libraries
from armillary.world_models.exporting.programs import programs_of

log = logging.getLogger(__name__)

EXAMPLE = "run_programs.py"
"""What loads and runs the programs, with torch alone."""


def run(config: DictConfig) -> Path:
    """Writes the programs, an example, ``manifest.json`` and ``results.json``; returns their place.

    Every program is compared with the model before anything is written.

    Raises:
        CheckpointError: there is no usable checkpoint.
        UsageError: ONNX files are wanted and its libraries are missing.
        RunError: a program computes something else than the model, and nothing is written; or a
            program cannot be had in a format, and all others are written.
    """
    output = Path(config.output).expanduser()
    formats = (TORCH, ONNX) if _with_onnx(config.onnx) else (TORCH,)
    model = load_model(config.checkpoint, config.device, config.num_slots)
    programs = programs_of(model)
    progress, task = counting("exporting", len(programs))
    found = []
    with progress:
        for program, made in make(model, programs, formats, config.tolerance):
            found.append((program, made))
            progress.advance(task)
    by_file = {f"{program.name}.{end}": one for program, made in found for end, one in made.items()}
    for name, one in by_file.items():
        if one.content:
            write_bytes(output / name, one.content)
    example = Path(next(iter(templates.__path__))) / EXAMPLE
    write_bytes(output / EXAMPLE, example.read_bytes())
    write_json(output / MANIFEST, manifest(model, read_info(config.checkpoint), found))
    write(output / RESULTS, _results(config, by_file))
    for name, one in by_file.items():
        told = f"{len(one.content) / 1e3:.0f} kB" if one.content else f"none: {one.reason}"
        results.print(f"{output / name}  {told}", highlight=False, soft_wrap=True)
    lacking = [f"{name} ({one.reason})" for name, one in by_file.items() if one.reason]
    if lacking:
        raise RunError(f"there can be no {joined(lacking)}; all others are in {output}")
    return output


def _with_onnx(wanted: str) -> bool:
    """Whether ONNX files are to be written; says so where they would be but for libraries."""
    missing = joined(missing_libraries())
    if not missing or wanted == "never":
        return wanted != "never"
    told = f"ONNX files need {missing}: pip install 'armillary[export]'"
    if wanted == "always":
        raise UsageError(f"onnx=always: {told}")
    log.info("%s; they are left out", told)
    return False


def _results(config: DictConfig, by_file: Mapping[str, Made]) -> Exported:
    files = {
        name: Written(
            bytes=len(one.content),
            reason=one.reason,
            rows=list(one.rows),
            difference=one.difference if one.content else None,
        )
        for name, one in by_file.items()
    }
    return Exported(
        checkpoint=str(config.checkpoint),
        tolerance=config.tolerance,
        files=files,
        **made_with(config),
    )
