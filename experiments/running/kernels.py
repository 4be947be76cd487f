"""Which of torch's kernels a run may use. The help needs none, and does not wait for torch."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext


def kernels(deterministic: bool) -> AbstractContextManager[None]:
    """A block with those only that give the same bits again, or with all; torch loads where asked.

    Raises:
        RunError: see ``armillary.determinism.deterministic``.
    """
    if not deterministic:
        return nullcontext()
    from armillary.determinism import deterministic as block

    return block(True)
