"""Opens a file of episodes, checks every split of it and says what it holds."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from armillary.hdf5 import File, Group
from armillary.suggestions import holds
from armillary.world_models.data.handle import Handle
from armillary.world_models.data.schema import (
    FRAME_MAXIMUM,
    FRAMES,
    SPLITS,
    DataError,
    inspect_split,
    read_layout,
)
from armillary.world_models.data.split import Split

log = logging.getLogger(__name__)

SAMPLED_EPISODES = 16
"""How many episodes of a split are looked at to tell 0..1 from 0..255."""
WHITE_LIMIT = 1.5
"""A sampled maximum below it means 0..1; rounding may lift white a little above 1."""


class EpisodeFile:
    """A file of episodes in either layout; opening it checks every split.

    Args:
        path: of the HDF5 file.
        actions: whether to read the actions. Without them the file serves as action-free data:
            its action size is 0, and the array need not be there.

    Attributes:
        path: of the file.
        layout: of its arrays.
        attributes: the root attributes, empty for the published reference files.
        splits: shapes and types of the splits there are.
        image_size: H = W in pixels.
        action_size: A, 0 without actions.

    Raises:
        DataError: the file is missing, damaged, of another format or version, or its arrays are
            missing or disagree.
    """

    def __init__(self, path: Path | str, *, actions: bool = True) -> None:
        self.path = Path(path)
        self._handle = Handle(self.path)
        file = self._handle.file()
        self.layout = read_layout(self.path, file)
        self.attributes: dict[str, Any] = dict(file.attrs)
        self.splits = {
            name: inspect_split(self.path, group, self.layout, actions)
            for name in SPLITS
            if isinstance(group := file.get(name), Group)
        }
        if not self.splits:
            raise DataError(
                self.path, f"there is no group {', '.join(SPLITS)}; {holds('train', file)}"
            )
        infos = list(self.splits.values())
        if len({(info.image_size, info.action_size) for info in infos}) > 1:
            sizes = ", ".join(
                f"{name} {info.image_size} px and {info.action_size} action numbers"
                for name, info in self.splits.items()
            )
            raise DataError(self.path, f"all splits must have the same sizes, got {sizes}")
        self.image_size = infos[0].image_size
        self.action_size = infos[0].action_size
        self._scale = self._find_scale(file)

    def split(self, name: str) -> Split:
        """The episodes of a split.

        Raises:
            DataError: there is no such split, or it is empty.
        """
        if name not in self.splits:
            raise DataError(self.path, f"there is no split {name!r}; {holds(name, self.splits)}")
        if not self.splits[name].episodes:
            raise DataError(self.path, f"split {name!r} is empty")
        return Split(self._handle, name, self.layout, self.splits[name], self._scale)

    def _find_scale(self, file: File) -> float:
        """What stored values are multiplied with to reach 0..255; one answer for the whole file."""
        floating = [
            name
            for name, info in self.splits.items()
            if info.frame_type.kind == "f" and info.episodes
        ]
        if not floating:
            return 1.0
        if FRAME_MAXIMUM in file.attrs:
            declared = self.attributes[FRAME_MAXIMUM]
            if declared not in (1, 255):
                raise DataError(
                    self.path, f"attribute {FRAME_MAXIMUM!r} must be 1 or 255, got {declared}"
                )
            return 255.0 / float(declared)
        maximum = max((self._sampled_maximum(name) for name in floating), default=0.0)
        scale = 255.0 if maximum < WHITE_LIMIT else 1.0
        log.info(
            "%s: floating-point frames with a sampled maximum of %g are taken to be in 0..%d",
            self.path,
            maximum,
            255 / scale,
        )
        return scale

    def _sampled_maximum(self, name: str) -> float:
        count, frames = self.splits[name].episodes, self._handle.array(name, FRAMES)
        episodes = np.unique(np.linspace(0, count - 1, SAMPLED_EPISODES).astype(int))
        windows = [self.layout.order(int(episode), slice(None)) for episode in episodes]
        return max((float(np.max(frames[window])) for window in windows), default=0.0)

    def __repr__(self) -> str:
        lines = [
            f"EpisodeFile {self.path}",
            f"  layout {self.layout}, frames {self.image_size} x {self.image_size}, "
            f"actions of size {self.action_size}",
        ]
        for name, info in self.splits.items():
            extras = "".join(
                f", {extra} {shape} {dtype}" for extra, (shape, dtype) in info.extras.items()
            )
            lines.append(
                f"  {name:<5} {info.episodes} episodes of {info.length} frames, "
                f"{info.frame_type}, {'with' if info.has_masks else 'no'} masks{extras}"
            )
        lines += [f"  {name} = {value}" for name, value in self.attributes.items()]
        return "\n".join(lines)
