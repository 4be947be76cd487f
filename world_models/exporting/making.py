"""Programs made in every format, and checked: what a file computes is what the model computes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.export import ExportedProgram

from armillary.errors import RunError
from armillary.world_models.exporting import onnx_files, tracing
from armillary.world_models.exporting.programs import Program, examples
from armillary.world_models.exporting.tracing import ExportError
from armillary.world_models.model import WorldModel
from armillary.world_models.replay.recordings import Pure

ROWS = (1, 2, 17)
"""Numbers of rows that programs are checked with."""
_TRACED_WITH = 3
TORCH, ONNX = "pt2", "onnx"
"""Formats, by the ends of the files' names."""


@dataclass(frozen=True)
class Made:
    """A program in a format.

    Attributes:
        content: of its file; empty where there is none.
        reason: why there is none; empty where there is one.
        rows: numbers of rows that it was checked with; without ``any_rows`` the only one it takes.
        any_rows: whether it takes any number of rows.
        difference: between its results and the model's, the greatest; in units of the greatest
            result where that is above 1.
    """

    content: bytes = b""
    reason: str = ""
    rows: tuple[int, ...] = ()
    any_rows: bool = False
    difference: float = 0.0


def make(
    model: WorldModel, programs: Sequence[Program], formats: Sequence[str], tolerance: float
) -> Iterator[tuple[Program, dict[str, Made]]]:
    """Every program of a model in every format.

    Args:
        model: in evaluation mode.
        programs: of it.
        formats: of ``TORCH`` and ``ONNX``.
        tolerance: greatest ``difference``.

    Raises:
        RunError: a file computes something else than the model.
    """
    inputs = {rows: examples(model, rows) for rows in {*ROWS, _TRACED_WITH}}
    for program in programs:
        found: dict[str, Made] = {}
        try:
            traced, any_rows = _traced(program, model, inputs)
        except ExportError as error:
            yield program, dict.fromkeys(formats, Made(reason=str(error)))
            continue
        for name in formats:
            write, read = _FORMATS[name]
            try:
                content = write(traced, program)
            except ExportError as error:
                found[name] = Made(reason=str(error))
                continue
            rows = ROWS if any_rows else (1,)
            run = read(content, program)
            difference = max(_difference(program, run, inputs[count]) for count in rows)
            if not difference <= tolerance:
                raise RunError(
                    f"{program.name}.{name} would not compute what the model does: results differ "
                    f"by {difference:.3g}, tolerance is {tolerance:g}; nothing is written"
                )
            found[name] = Made(content, "", rows, any_rows, difference)
        yield program, found


def _traced(
    program: Program, model: WorldModel, inputs: Mapping[int, Mapping[str, Tensor]]
) -> tuple[ExportedProgram, bool]:
    """The program, and whether it takes any number of rows: else it takes one."""
    try:
        return tracing.traced(program, model, program.arguments(inputs[_TRACED_WITH])), True
    except ExportError:
        return tracing.traced(program, model, program.arguments(inputs[1])), False


def _difference(program: Program, run: Pure, values: Mapping[str, Tensor]) -> float:
    """The greatest, see ``Made``; NaN where one has NaN and the other a number."""
    arguments = program.arguments(values)
    with torch.no_grad():
        pairs = zip(run(*arguments), program.function(*arguments), strict=True)
        return max((_apart(*pair) for pair in pairs if pair[0].numel()), default=0.0)


def _apart(found: Tensor, expected: Tensor) -> float:
    found = found.to(expected.device)
    if found.shape != expected.shape or not torch.equal(found.isnan(), expected.isnan()):
        return math.nan
    apart = (found - expected).abs().nan_to_num(0.0).max()
    return float(apart / expected.abs().nan_to_num(0.0).max().clamp_min(1.0))


_FORMATS: dict[
    str,
    tuple[Callable[[ExportedProgram, Program], bytes], Callable[[bytes, Program], Pure]],
] = {
    TORCH: (lambda traced, _: tracing.saved(traced), lambda content, _: tracing.loaded(content)),
    ONNX: (onnx_files.converted, onnx_files.running),
}
