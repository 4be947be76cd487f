"""Programs of torch.export: traced for any number of rows where that is possible, saved, loaded."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.export._trace import _export
from torch.export.graph_signature import InputKind
from torch.fx import config as fx_config
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from armillary.errors import RunError, shortened
from armillary.world_models.exporting.programs import Program
from armillary.world_models.exporting.quiet import quietly
from armillary.world_models.model import WorldModel
from armillary.world_models.replay.recordings import Pure

_WITHOUT_TRACES = "do_not_emit_stack_traces"


class ExportError(RunError):
    """A program cannot be written in a format; the message says what stands in the way."""


class _Module(nn.Module):
    """A function of a model, which holds its weights."""

    def __init__(self, model: WorldModel, function: Pure) -> None:
        super().__init__()
        self.model = model
        self._function = function

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        return self._function(*given)


def traced(program: Program, model: WorldModel, arguments: Sequence[Tensor]) -> ExportedProgram:
    """The operations of a program, and the weights that they need.

    Args:
        program: of the model.
        model: in evaluation mode.
        arguments: N rows of every input. For 1 the result takes one row, else any number.

    Raises:
        ExportError: it has no such form, say since it looks at values to decide what to do.
    """
    rows = None if len(arguments[0]) == 1 else ({0: Dim("rows")},) * len(arguments)
    below_autograd = _takes_gradients(program, arguments)
    module = _Module(model, program.function)
    with _quietly(), torch.no_grad():
        try:
            found = _export(
                module,
                tuple(arguments),
                dynamic_shapes=None if rows is None else (rows,),
                strict=False,
                pre_dispatch=not below_autograd,
            )
        except GuardOnDataDependentSymNode as error:
            reason = reason_of(error)
            raise ExportError(f"it looks at values to decide what to do: {reason}") from error
        except Exception as error:  # whatever the model's own code, or torch on it, raises
            raise ExportError(reason_of(error)) from error
    _trim(found)
    return found


def saved(program: ExportedProgram) -> bytes:
    """The content of a file that ``torch.export.load`` reads."""
    buffer = io.BytesIO()
    with _quietly():
        torch.export.save(program, buffer)
    return buffer.getvalue()


def loaded(content: bytes) -> Pure:
    """What a file holds, as a function of tensors."""
    with _quietly():
        return torch.export.load(io.BytesIO(content)).module()


def reason_of(error: BaseException) -> str:
    """The first line of what an error is due to."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip() or type(error).__name__
    return shortened(text.splitlines()[0], 300)


def _takes_gradients(program: Program, arguments: Sequence[Tensor]) -> bool:
    """Whether a program differentiates on its way: then autograd's operations are traced too."""
    kept: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(1)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), torch.no_grad():
        program.function(*arguments)
    return bool(kept)


def _trim(program: ExportedProgram) -> None:
    """Leaves out weights that nothing reads, and paths of this machine."""
    signature = program.graph_signature
    read = {node.name for node in program.graph.nodes if node.users}
    for spec in list(signature.input_specs):
        if spec.kind is not InputKind.USER_INPUT and spec.arg.name not in read:
            signature.input_specs.remove(spec)
            for kept in (program.state_dict, program.constants):
                kept.pop(str(spec.target), None)
    names = {spec.arg.name for spec in signature.input_specs}
    for node in list(program.graph.nodes):
        node.meta.pop("stack_trace", None)
        if node.op == "placeholder" and node.name not in names:
            program.graph.erase_node(node)
    program.graph_module.recompile()


@contextmanager
def _quietly() -> Iterator[None]:
    """Silence, and no looking up of lines of code."""
    before = vars(fx_config).get(
        _WITHOUT_TRACES, False
    )  # torch 2.12 and later; a third of the time
    setattr(fx_config, _WITHOUT_TRACES, True)
    try:
        with quietly():
            yield
    finally:
        setattr(fx_config, _WITHOUT_TRACES, before)
