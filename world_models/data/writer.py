"""Writes episodes to an HDF5 file that appears only once it is whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np

from armillary.errors import DataError
from armillary.files import replacing
from armillary.hdf5.writing import Attribute, WrittenFile
from armillary.world_models.data.identity import CONTENT_ID, ContentHash
from armillary.world_models.data.schema import (
    ACTIONS,
    FORMAT,
    FORMAT_VERSION,
    FRAME_MAXIMUM,
    FRAMES,
    MASKS,
    SPLITS,
    Layout,
    Provenance,
)

SMALL_CHUNK = 64
"""Episodes per chunk of actions and other small arrays, which are read whole."""
LARGE = 2**16
"""Bytes per episode above which an array has a chunk for every episode, as frames have."""


class EpisodeWriter:
    """Appends episodes to the splits of a new file.

    A context manager: the file is written beside its target and renamed when the block ends
    without an exception, so that an interrupted run leaves nothing that reads as a whole file.
    Frames and masks lie uncompressed with one episode per chunk, from which random windows read
    fastest; every chunk has a checksum (fletcher32). What all episodes share (T, image size, A,
    masks or none, further arrays) is fixed by the first one.

    Args:
        path: the target.
        provenance: where the episodes come from.
        layout: of the arrays.
        overwrite: whether a file at ``path`` may be replaced.

    Raises:
        DataError: on entering, the target exists, its folder does not or an attribute cannot be
            stored; on leaving, no episode was added.
        RunError: on entering, adding or leaving, the disk is full.
    """

    def __init__(
        self,
        path: Path | str,
        provenance: Provenance,
        *,
        layout: Layout = Layout.EPISODES,
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path)
        if not self.path.name:
            raise DataError(self.path, "this is no name of a file")
        self.counts = dict.fromkeys(SPLITS, 0)
        self._provenance = provenance
        self._layout = layout
        self._overwrite = overwrite
        self._entries: dict[str, tuple[tuple[int, ...], np.dtype]] = {}
        self._content = ContentHash()
        self._file: WrittenFile | None = None

    def check(self) -> None:
        """Raises DataError unless the file can be begun."""
        self._check_target()
        if not self.path.parent.is_dir():
            raise DataError(self.path, f"the folder {self.path.parent} does not exist")
        self._attributes()

    def __enter__(self) -> Self:
        self.check()
        self._writing = self._whole(self._attributes())
        self._file = self._writing.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file = None
        self._writing.__exit__(kind, error, trace)

    def add(
        self,
        split: str,
        frames: np.ndarray,
        actions: np.ndarray,
        masks: np.ndarray | None = None,
        extras: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Appends one episode.

        Args:
            split: train, val or test.
            frames: (T, H, W, 3) uint8, H = W, T >= 2.
            actions: (T - 1, A) numbers; ``actions[t]`` leads from frame t to frame t + 1.
            masks: (T, H, W) uint8 label maps, 0 for the background, i for object i.
            extras: further arrays (T, ...) of numbers by name, such as poses.

        Raises:
            DataError: the writer is not open, or the episode breaks these shapes and types, holds
                NaN or infinity, or differs from the first episode of the file.
            RunError: the disk is full.
        """
        if self._file is None:
            raise DataError(self.path, "episodes can only be added inside the writer's with block")
        if split not in self.counts:
            raise DataError(self.path, f"split must be one of {', '.join(SPLITS)}; got {split!r}")
        arrays = self._checked(frames, actions, masks, extras or {})
        entries = {name: (array.shape, array.dtype) for name, array in arrays.items()}
        if self._entries and entries != self._entries:
            raise DataError(
                self.path,
                "all episodes of a file must have the same shapes: the first had "
                f"{_describe(self._entries)}; this one has {_describe(entries)}",
            )
        if not self._entries:
            self._entries = entries
            self._file.set({"image_size": frames.shape[1], "action_size": actions.shape[1]})
        with self._file.step() as file:
            group = file.require_group(split)
            for name, array in arrays.items():
                self._append(group, name, array, self.counts[split])
        same = arrays if masks is None else {**arrays, MASKS: masks}  # in either layout
        self._content.add(split, same)
        self.counts[split] += 1

    def _checked(
        self,
        frames: np.ndarray,
        actions: np.ndarray,
        masks: np.ndarray | None,
        extras: Mapping[str, np.ndarray],
    ) -> dict[str, np.ndarray]:
        """The arrays of an episode under their names in the file."""
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.shape[1] != frames.shape[2]:
            raise self._error("frames", "(T, H, W, 3) with H = W", frames)
        if frames.dtype != np.uint8 or len(frames) < 2:
            raise self._error("frames", "uint8 and at least 2", frames)
        if actions.ndim != 2 or len(actions) != len(frames) - 1:
            raise self._error("actions", f"({len(frames) - 1}, A), one less than frames", actions)
        arrays = {FRAMES: frames, ACTIONS: self._numbers("actions", actions, np.float32)}
        if masks is not None:
            if masks.shape != frames.shape[:3] or masks.dtype != np.uint8:
                raise self._error("masks", f"{frames.shape[:3]} uint8", masks)
            arrays[MASKS] = masks[..., None] if self._layout is Layout.REFERENCE else masks
        for name, extra in extras.items():
            if name in (FRAMES, ACTIONS, MASKS) or not name.isidentifier():
                raise DataError(self.path, f"a further array cannot be named {name!r}")
            if extra.ndim < 1 or len(extra) != len(frames):
                raise self._error(name, f"({len(frames)}, ...), one entry per frame", extra)
            kind = np.float32 if extra.dtype.kind == "f" else extra.dtype
            arrays[name] = self._numbers(name, extra, kind)
        return arrays

    def _numbers(self, name: str, array: np.ndarray, kind: np.dtype | type) -> np.ndarray:
        if array.dtype.kind not in "fiub":
            raise self._error(name, "numbers", array)
        with np.errstate(over="ignore"):
            array = array.astype(kind)
        if not np.isfinite(array).all():
            bad = np.argwhere(~np.isfinite(array))[0].tolist()
            raise DataError(self.path, f"{name} must be finite, got NaN or infinity at {bad}")
        return array

    def _append(self, group: h5py.Group, name: str, array: np.ndarray, index: int) -> None:
        order = self._layout.order
        if name not in group:
            per_chunk = 1 if name in (FRAMES, MASKS) or array.nbytes > LARGE else SMALL_CHUNK
            rest = array.shape[1:]
            # A dimension of size 0 (action-free data) takes a chunk of 1, so it must have no limit.
            limits = (size or None for size in rest)
            group.create_dataset(
                name,
                shape=(*order(0, len(array)), *rest),
                maxshape=(*order(None, len(array)), *limits),
                chunks=tuple(max(size, 1) for size in (*order(per_chunk, len(array)), *rest)),
                dtype=array.dtype,
                fletcher32=True,
            )
        stored = group[name]
        assert isinstance(stored, h5py.Dataset)
        axis = order(0, 1).index(0)
        stored.resize(index + 1, axis=axis)
        stored[order(index, slice(None))] = array

    @contextmanager
    def _whole(self, attributes: Mapping[str, Attribute]) -> Iterator[WrittenFile]:
        """The open file, which is moved to its place once it is whole."""
        with replacing(self.path) as partial:
            with WrittenFile(partial) as file:
                file.set(attributes)
                yield file
                if not self._entries:
                    raise DataError(self.path, "no episode was added, so no file was written")
                file.set({CONTENT_ID: self._content.hexdigest()})
            self._check_target()

    def _attributes(self) -> dict[str, Attribute]:
        """What is known before the first episode, checked before any work can be lost."""
        origin = self._provenance
        own: dict[str, Attribute] = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "layout": str(self._layout),
            "environment": origin.environment,
            "policy": origin.policy,
            "seed": origin.seed,
            "action_meaning": origin.action_meaning,
            "command": origin.command,
        }
        for name, value in origin.extra.items():
            if name in {*own, "image_size", "action_size", CONTENT_ID, FRAME_MAXIMUM}:
                raise DataError(self.path, f"the attribute {name!r} has a meaning of its own")
            if not isinstance(value, Attribute):
                raise DataError(
                    self.path,
                    f"the attribute {name!r} must be a text or a number, "
                    f"got {type(value).__name__}",
                )
        return {**origin.extra, **own}

    def _check_target(self) -> None:
        if self.path.exists() and not self._overwrite:
            raise DataError(self.path, "the file exists; choose another path or allow to overwrite")

    def _error(self, name: str, wanted: str, array: np.ndarray) -> DataError:
        return DataError(self.path, f"{name} must be {wanted}; got {array.shape} {array.dtype}")


def _describe(entries: Mapping[str, tuple[tuple[int, ...], np.dtype]]) -> str:
    return ", ".join(f"{name} {shape} {dtype}" for name, (shape, dtype) in entries.items())
