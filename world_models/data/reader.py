"""Opens a file of episodes, checks every split of it and says what it holds."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from armillary.errors import ArmillaryError
from armillary.hdf5.file import Group
from armillary.suggestions import holds, suggest
from armillary.world_models.data.handle import Handle
from armillary.world_models.data.identity import CONTENT_ID, content_id
from armillary.world_models.data.layout import find_layout
from armillary.world_models.data.scale import (
    BYTES,
    Scale,
    checked_scale,
    declared_scale,
    find_scale,
)
from armillary.world_models.data.schema import (
    FRAME_MAXIMUM,
    FRAMES,
    MASKS,
    SPLITS,
    DataError,
    Layout,
    inspect_split,
    read_layout,
)
from armillary.world_models.data.split import Split

log = logging.getLogger(__name__)

SAMPLED_EPISODES = 16
"""How many episodes of a split are looked at to tell 0..1 from 0..255."""
MANY_OBJECTS = 63
"""Labels above it are told: they are rarely meant."""


class EpisodeFile:
    """A file of episodes in either layout; opening it checks every split.

    Args:
        path: of the HDF5 file.
        actions: whether to read the actions. Without them the file serves as action-free data:
            its action size is 0, and the array need not be there.
        layout: of a file that declares none: ``episodes`` or ``reference``; None finds it out.
        scale: the stored values of black and of white; None finds them out for every split.

    Attributes:
        path: of the file.
        layout: of its arrays.
        attributes: the root attributes, empty for the published reference files.
        splits: shapes and types of the splits there are.
        image_size: H = W in pixels.
        action_size: A, 0 without actions.

    Raises:
        ArmillaryError: ``layout`` or ``scale`` is none.
        DataError: the file is missing, damaged, of another format or version, its arrays are
            missing or disagree, or what they mean cannot be told.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        actions: bool = True,
        layout: str | None = None,
        scale: Sequence[float] | None = None,
    ) -> None:
        if layout is not None and layout not in list(Layout):
            raise ArmillaryError(f"unknown layout {layout!r}; {suggest(str(layout), Layout)}")
        self.path = Path(path)
        self._handle = Handle(self.path)
        file = self._handle.file()
        groups = {n: group for n in SPLITS if isinstance(group := file.get(n), Group)}
        declared = read_layout(self.path, file)
        if None not in (declared, layout) and declared != layout:
            raise DataError(self.path, f"the file declares layout {declared}, not {layout}")
        self.layout = declared or (
            find_layout(self.path, groups) if layout is None else Layout(layout)
        )
        self.attributes: dict[str, Any] = dict(file.attrs)
        self.splits = {
            name: inspect_split(self.path, group, self.layout, actions, declared is not None)
            for name, group in groups.items()
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
        self._scales = self._find_scales(scale)
        for name, info in self.splits.items():
            if info.has_masks:
                self._check_labels(name)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What data these are: ``path``, ``content_id``, and the ``layout`` and ``scale`` read.

        JSON-able. ``changed`` compares two.
        """
        scales = {name: [*scale] for name, scale in self._scales.items()}
        return {
            "path": str(self.path),
            CONTENT_ID: content_id(self.path, self.attributes.get(CONTENT_ID)),
            "layout": str(self.layout),
            "scale": scales,
        }

    def split(self, name: str) -> Split:
        """The episodes of a split.

        Raises:
            DataError: there is no such split, or it is empty.
        """
        if name not in self.splits:
            raise DataError(self.path, f"there is no split {name!r}; {holds(name, self.splits)}")
        if not self.splits[name].episodes:
            raise DataError(self.path, f"split {name!r} is empty")
        return Split(self._handle, name, self.layout, self.splits[name], self._scales[name])

    def _find_scales(self, said: Sequence[float] | None) -> dict[str, Scale]:
        """The stored values of black and white in every split."""
        if said is not None:
            return dict.fromkeys(self.splits, checked_scale(said))
        if FRAME_MAXIMUM in self.attributes:
            declared = declared_scale(self.path, self.attributes[FRAME_MAXIMUM])
            kinds = {name: info.frame_type.kind for name, info in self.splits.items()}
            return {name: declared if kind == "f" else BYTES for name, kind in kinds.items()}
        scales = {name: self._find_scale(name) for name in self.splits}
        if len(set(scales.values())) > 1:
            told = ", ".join(f"{n} {low:g}..{high:g}" for n, (low, high) in scales.items())
            log.warning("%s: frames are taken to be in different scales: %s", self.path, told)
        return scales

    def _find_scale(self, name: str) -> Scale:
        info = self.splits[name]
        if not info.episodes:
            return BYTES
        low, high = self._extremes(name, FRAMES, whole=info.frame_type.kind == "f")
        if high <= 1 and info.frame_type.kind != "f":
            low, high = self._extremes(name, FRAMES, whole=True)
        scale = find_scale(self.path, name, info.frame_type, low, high)
        if low == high:
            log.warning(
                "%s: all sampled frames of %r show nothing: every value is %g",
                self.path,
                name,
                low,
            )
        if info.frame_type.kind == "f":
            log.info(
                "%s: floating-point frames of %r with a sampled maximum of %g are taken to be "
                "in %g..%g",
                self.path,
                name,
                high,
                *scale,
            )
        return scale

    def _check_labels(self, name: str) -> None:
        """Warns of masks that name more objects than any scene has, as pictures of 0 and 255 do."""
        labels = self._handle.array(name, MASKS)
        if not self.splits[name].episodes or (labels.ndim == 5 and labels.shape[-1] > 1):
            return
        _, highest = self._extremes(name, MASKS, whole=False)
        if highest > MANY_OBJECTS:
            log.warning(
                "%s: labels of %r reach %g, so many objects; 0 is the background, and objects are "
                "1, 2, 3 and so on",
                self.path,
                name,
                highest,
            )

    def _extremes(self, name: str, array: str, whole: bool) -> tuple[float, float]:
        """The least and greatest value in some episodes, or at their middle moments."""
        info, stored = self.splits[name], self._handle.array(name, array)
        episodes = np.unique(np.linspace(0, info.episodes - 1, SAMPLED_EPISODES).astype(int))
        moment = slice(None) if whole else info.length // 2
        windows = [self.layout.order(int(episode), moment) for episode in episodes]
        found = [stored[window] for window in windows]
        # NaN is told by whoever reads the episode.
        low = min(float(np.fmin.reduce(part, axis=None)) for part in found)
        high = max(float(np.fmax.reduce(part, axis=None)) for part in found)
        return low, high

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
