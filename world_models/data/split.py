"""The episodes of one split: uint8 frames, float32 actions and uint8 labels of any stored form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from armillary.suggestions import holds
from armillary.world_models.data.handle import Handle
from armillary.world_models.data.scale import BYTES, WAY_IN, Scale
from armillary.world_models.data.schema import (
    ACTIONS,
    FRAMES,
    MASKS,
    DataError,
    Layout,
    SplitInfo,
)

LARGEST_ACTION = 1e18
"""Below it the square of an action is a float32."""


class Episodes(Protocol):
    """Where frames and labels are cut from; ``start`` and ``stop`` count frames."""

    def frames(self, episode: int, start: int, stop: int) -> np.ndarray:
        """(stop - start, H, W, 3) uint8."""
        ...

    def labels(self, episode: int, start: int, stop: int) -> np.ndarray:
        """(stop - start, H, W) uint8, 0 for the background and i for object i."""
        ...


@dataclass(frozen=True)
class MemoryEpisodes:
    """Episodes in memory.

    Attributes:
        all_frames: (N, T, H, W, 3) uint8.
        all_actions: (N, T - 1, A) float32.
        all_labels: (N, T, H, W) uint8, or (N, T, 0, 0) without masks.
    """

    all_frames: np.ndarray
    all_actions: np.ndarray
    all_labels: np.ndarray

    def frames(self, episode: int, start: int, stop: int) -> np.ndarray:
        """(stop - start, H, W, 3) uint8."""
        return self.all_frames[episode, start:stop]

    def labels(self, episode: int, start: int, stop: int) -> np.ndarray:
        """(stop - start, H, W) uint8."""
        return self.all_labels[episode, start:stop]


class Split:
    """The episodes of one split, read on demand.

    ``start`` and ``stop`` count frames everywhere: ``frames``, ``actions`` and ``labels`` of the
    same arguments belong together. Safe to hand to other processes.

    Attributes:
        name: train, val or test.
        info: shapes and types.
    """

    def __init__(
        self, handle: Handle, name: str, layout: Layout, info: SplitInfo, scale: Scale = BYTES
    ) -> None:
        self.name = name
        self.info = info
        self._handle = handle
        self._layout = layout
        self._scale = scale
        self._loaded: dict[bool, MemoryEpisodes] = {}

    def __len__(self) -> int:
        return self.info.episodes

    @property
    def path(self) -> Path:
        """The file that holds the split."""
        return self._handle.path

    @property
    def length(self) -> int:
        """T, the number of frames of every episode."""
        return self.info.length

    @property
    def has_masks(self) -> bool:
        """Whether there is a ground-truth segmentation."""
        return self.info.has_masks

    def frames(self, episode: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """(stop - start, H, W, 3) uint8, whatever type and scale is stored."""
        stored = self._read(FRAMES, episode, start, stop)
        if stored.dtype == np.uint8 and self._scale == BYTES:
            return stored
        black, white = self._scale
        values = (stored.astype(np.float32) - black) * (255.0 / (white - black))
        # Negated so that NaN is caught too.
        if not (values.min() >= -0.5 and values.max() <= 255.5):
            low, high = stored.min(), stored.max()
            held = "hold NaN" if np.isnan(low) else f"reach from {low:g} to {high:g}"
            raise DataError(
                self.path,
                f"frames of episode {episode} of {self.name!r} leave the range of the split, "
                f"{black:g}..{white:g}: they {held}. {WAY_IN}",
            )
        return np.rint(values).clip(0, 255).astype(np.uint8)

    def actions(self, episode: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """(stop - start - 1, A) float32, the actions between frames start .. stop - 1."""
        start, stop = self._span(episode, start, stop)
        return self.all_actions[episode, start : stop - 1]

    def labels(self, episode: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """(stop - start, H, W) uint8, 0 for the background and i for object i.

        Raises:
            DataError: the split has no masks (ask ``has_masks``), or they are no label maps.
        """
        if not self.has_masks:
            raise DataError(self.path, f"split {self.name!r} has no masks")
        stored = self._read(MASKS, episode, start, stop)
        if self._layout is Layout.REFERENCE:
            stored = stored[..., 0] if stored.shape[-1] == 1 else stored.argmax(-1)
        labels = stored.astype(np.uint8)
        if not np.array_equal(labels, stored):
            raise DataError(
                self.path,
                f"masks of episode {episode} of {self.name!r} must hold whole labels in 0..255, "
                f"got values from {stored.min()} to {stored.max()} of type {stored.dtype}",
            )
        return labels

    def extra(self, name: str, episode: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """(stop - start, ...), a further per-frame array such as poses, as it is stored.

        Raises:
            DataError: there is no array of this name.
        """
        if name not in self.info.extras:
            raise DataError(
                self.path,
                f"split {self.name!r} has no further array {name!r}; "
                f"{holds(name, self.info.extras)}",
            )
        return self._read(name, episode, start, stop)

    @cached_property
    def all_actions(self) -> np.ndarray:
        """(N, T - 1, A) float32, the actions of every episode, read once.

        Raises:
            DataError: an action is NaN, infinite or not below ``LARGEST_ACTION``.
        """
        if self.info.action_size == 0:
            return np.zeros((len(self), self.length - 1, 0), np.float32)
        stored = self._handle.array(self.name, ACTIONS)[()]
        order = self._layout.order(slice(None), slice(self.length - 1))
        actions = stored[order].astype(np.float32)
        if self._layout is Layout.REFERENCE:
            actions = actions.swapaxes(0, 1)
        wrong = ~(abs(actions) < LARGEST_ACTION)  # negated so that NaN is caught too
        if wrong.any():
            episode, step, number = np.argwhere(wrong)[0].tolist()
            raise DataError(
                self.path,
                f"action {step} of episode {episode} of {self.name!r} is NaN or infinite, or "
                f"beyond any unit: {actions[episode, step, number]:g}",
            )
        return np.ascontiguousarray(actions)

    def load(self, labels: bool = True) -> MemoryEpisodes:
        """All episodes in memory, read once and shared by everyone who asks this object."""
        wanted = labels and self.has_masks
        if wanted not in self._loaded:
            count, size = len(self), self.info.image_size
            frames = np.empty((count, self.length, size, size, 3), np.uint8)
            maps = np.empty((count, self.length, size * wanted, size * wanted), np.uint8)
            for episode in range(count):
                frames[episode] = self.frames(episode)
                if wanted:
                    maps[episode] = self.labels(episode)
            self._loaded[wanted] = MemoryEpisodes(frames, self.all_actions, maps)
        return self._loaded[wanted]

    def nbytes(self, labels: bool = True) -> int:
        """The memory in bytes that ``load`` takes for frames and labels."""
        pixels = len(self) * self.length * self.info.image_size**2
        return pixels * (4 if labels and self.has_masks else 3)

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: value for name, value in vars(self).items() if name != "all_actions"}
        return {**kept, "_loaded": {}}

    def _read(self, name: str, episode: int, start: int, stop: int | None) -> np.ndarray:
        window = self._layout.order(episode, slice(*self._span(episode, start, stop)))
        return self._handle.array(self.name, name)[window]

    def _span(self, episode: int, start: int, stop: int | None) -> tuple[int, int]:
        stop = self.length if stop is None else stop
        if not 0 <= episode < len(self):
            raise IndexError(
                f"episode must be in 0..{len(self) - 1} for split {self.name!r}, got {episode}"
            )
        if not 0 <= start < stop <= self.length:
            raise IndexError(
                f"frames must satisfy 0 <= start < stop <= {self.length}, got {start}:{stop}"
            )
        return start, stop
