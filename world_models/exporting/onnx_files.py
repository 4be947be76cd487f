"""Programs as ONNX files, where the libraries for it are installed and it has the operators."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from armillary.world_models.exporting.programs import Program
from armillary.world_models.exporting.quiet import quietly
from armillary.world_models.exporting.tracing import ExportError, reason_of
from armillary.world_models.replay.recordings import Pure

LIBRARIES = ("onnx", "onnxscript", "onnxruntime")
_aten = torch.ops.aten
_OPERATOR = re.compile(r"OpOverload\(op='(?P<name>[^']+)', overload='(?P<overload>[^']+)'\)")


def missing_libraries() -> list[str]:
    """Those of ``LIBRARIES`` that are not installed."""
    return [name for name in LIBRARIES if find_spec(name) is None]


def converted(traced: ExportedProgram, program: Program) -> bytes:
    """The content of an ONNX file, whose inputs and outputs have the program's names.

    Args:
        traced: what ``tracing.traced`` made of the program.
        program: for the names.

    Raises:
        ExportError: ONNX lacks an operator, which the message names.
    """
    decompositions = _decompositions()
    inputs, outputs = ([v.name for v in side] for side in (program.inputs, program.outputs))
    with quietly():
        try:
            found = torch.onnx.export(
                traced.run_decompositions(decompositions),
                dynamo=True,
                verbose=False,
                input_names=inputs,
                output_names=outputs,
            )
        except Exception as error:  # of several libraries
            reason = reason_of(error)
            operator = _OPERATOR.search(reason)
            lacks = operator and f"ONNX has no operator {'.'.join(operator.groups())}"
            raise ExportError(lacks or reason) from error
    assert found is not None
    return found.model_proto.SerializeToString()


def running(content: bytes, program: Program) -> Pure:
    """What a file holds, as a function of tensors on the CPU; onnxruntime computes it."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    read = {given.name for given in session.get_inputs()}

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        named = zip(program.inputs, tensors, strict=True)
        given = {value.name: tensor.cpu().numpy() for value, tensor in named if value.name in read}
        return tuple(torch.from_numpy(array) for array in session.run(None, given))

    return run


def _decompositions() -> dict[Any, Callable[..., Any]]:
    """Torch's own, and the gradient of a convolution by its input, which is a convolution."""
    return {
        **torch.export.default_decompositions(),
        _aten.convolution_backward.default: _convolution_backward,
    }


def _convolution_backward(
    gradient: Tensor,
    inputs: Tensor,
    weight: Tensor,
    bias_sizes: Sequence[int] | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    wanted: Sequence[bool],
) -> Any:
    """The gradient by the input of a convolution, as ``aten.convolution_backward`` has it."""
    if transposed or list(wanted) != [True, False, False]:
        return NotImplemented
    sizes = zip(inputs.shape[2:], gradient.shape[2:], weight.shape[2:], strict=True)
    rest = [
        size - ((seen - 1) * stride[i] - 2 * padding[i] + dilation[i] * (kernel - 1) + 1)
        for i, (size, seen, kernel) in enumerate(sizes)
    ]
    found = _aten.convolution(gradient, weight, None, stride, padding, dilation, True, rest, groups)
    return found, None, None
