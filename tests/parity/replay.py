"""Recorded noise in place of drawn noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from tests.parity.fixture import Fixture


class Replay:
    """Hands out a fixture's draws in the order of the recording, as a ``Noise``.

    The recorded noise on actions is already scaled (run models with ``action_noise=1``), and in the
    slot models one draw serves all rollouts. Latents of several rollouts are recorded with the
    rollouts first, ours have the videos first.

    Args:
        fixture: holds the draws.
        log: the entries to hand out.
    """

    def __init__(self, fixture: Fixture, log: Sequence[dict[str, Any]]) -> None:
        self._fixture = fixture
        self._log = list(log)
        self._next = 0

    def action(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """See ``Noise``; ``shape`` is (N, A) or, with S rollouts, (N, S, A)."""
        draw = self._draw(("action",), like)
        if draw.numel() < like.new_empty(shape).numel():
            draw = draw.unsqueeze(1).expand(shape)
        return draw.reshape(shape)

    def latent(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """See ``Noise``; ``shape`` is (N, Z), (N, K, Z) or, with S rollouts, (N, S, K, Z)."""
        draw = self._draw(("rsample", "sample"), like)
        if len(shape) == 4:
            count, samples, *rest = shape
            return draw.reshape(samples, count, *rest).transpose(0, 1)
        return draw.reshape(shape)

    def finish(self) -> None:
        """Raises AssertionError unless every draw was asked for."""
        left = len(self._log) - self._next
        assert not left, f"{left} of {len(self._log)} recorded draws were not asked for"

    def _draw(self, kinds: tuple[str, ...], like: Tensor) -> Tensor:
        entry = self._log[self._next]
        assert entry["kind"] in kinds, f"draw {self._next} is {entry['kind']}, wanted {kinds}"
        self._next += 1
        key = entry.get("key", f"noise/{entry['i']:03d}")
        return self._fixture.tensor(key, like.dtype).to(like.device)
