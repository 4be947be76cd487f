"""The two HDF5 layouts of video data, and the checks that a file keeps one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import numpy as np

from armillary.errors import DataError
from armillary.hdf5.array import NUMBERS, Array
from armillary.hdf5.file import File, Group
from armillary.hdf5.writing import Attribute
from armillary.suggestions import holds

FORMAT = "armillary-episodes"
FORMAT_VERSION = 1
SPLITS = ("train", "val", "test")
FRAMES, ACTIONS, MASKS = "imgs", "actions", "masks"
FRAME_MAXIMUM = "frame_maximum"
"""Root attribute that says which value is white in a file of floating-point frames: 1 or 255."""

Axis = TypeVar("Axis")


class Layout(StrEnum):
    """Which of the two leading axes counts episodes.

    ``EPISODES`` is our own, every array starting with [N, T]:
        imgs [N, T, H, W, 3] uint8, actions [N, T - 1, A] float32, optional masks [N, T, H, W]
        uint8 label maps (0 is the background, i is object i), further per-frame arrays [N, T, ...].
        A foreign file may hold floating-point frames and T actions here too.
    ``REFERENCE`` is that of the published towel-pick data, every array starting with [T, N]:
        imgs [T, N, H, W, 3] uint8 in 0..255 or floating point in 0..1 or 0..255, actions
        [T or T - 1, N, A] (a T-th action leads nowhere and is dropped), optional masks
        [T, N, H, W, C]: a label map for C = 1, else one channel per label, the background first.

    Both have groups named train, val and test. All episodes of a group have T frames.
    """

    EPISODES = "episodes"
    REFERENCE = "reference"

    def order(self, episode: Axis, time: Axis) -> tuple[Axis, Axis]:
        """Puts what belongs to the episode axis and to the time axis in the order of the file."""
        return (episode, time) if self is Layout.EPISODES else (time, episode)


@dataclass(frozen=True)
class Provenance:
    """What a written file says of its origin, as root attributes.

    Attributes:
        environment: the environment's id, or the name of the data set the episodes come from.
        policy: what chose the actions.
        seed: of the collection.
        action_meaning: what the numbers of an action mean, with units.
        command: the command that makes the file again.
        extra: anything else worth knowing, by name.
    """

    environment: str
    policy: str
    seed: int
    action_meaning: str
    command: str
    extra: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitInfo:
    """The shapes and types of one split.

    Attributes:
        episodes: N.
        length: T, the frames of an episode; it has T - 1 actions.
        image_size: H = W in pixels.
        action_size: A, 0 for action-free data.
        frame_type: how frames are stored.
        has_masks: whether there is a ground-truth segmentation.
        extras: shape of one frame's entry and type of every further per-frame array, by name.
    """

    episodes: int
    length: int
    image_size: int
    action_size: int
    frame_type: np.dtype
    has_masks: bool
    extras: Mapping[str, tuple[tuple[int, ...], np.dtype]]


def read_layout(path: Path, file: File) -> Layout | None:
    """The layout a file declares, None where it declares nothing.

    Raises:
        DataError: the file declares a format, version or layout that is not known here.
    """
    if "format" not in file.attrs:
        return None
    name = file.attrs["format"]
    if name != FORMAT:
        raise DataError(path, f"the attribute 'format' must be {FORMAT!r}, got {name!r}")
    version = file.attrs.get("format_version", "none")
    if version != FORMAT_VERSION:  # 1.0 too, as C and MATLAB write it
        raise DataError(
            path,
            f"format version {version} cannot be read, only version {FORMAT_VERSION}: collect or "
            "convert the data again, or install the release of armillary that wrote the file",
        )
    layout = file.attrs.get("layout", "none")
    if layout not in list(Layout):
        raise DataError(
            path, f"the attribute 'layout' must be one of {', '.join(Layout)}; got {layout!r}"
        )
    return Layout(layout)


def inspect_split(
    path: Path, group: Group, layout: Layout, actions: bool, declared: bool
) -> SplitInfo:
    """Reads the shapes and types of a split.

    Args:
        path: of the file, for messages.
        group: the split.
        layout: of its arrays.
        actions: whether there must be actions; without, none are looked for.
        declared: whether the file is ours by its own word, so that nothing else may be in it.

    Raises:
        DataError: an array is missing, or shapes and types break the layout.
    """
    imgs = dataset(path, group, FRAMES)
    axes = ", ".join(layout.order("N", "T"))
    if imgs.ndim != 5 or imgs.shape[-1] != 3 or imgs.shape[2] != imgs.shape[3]:
        raise _shape_error(path, imgs, f"[{axes}, H, W, 3] with square frames (H = W)")
    if imgs.dtype != np.uint8 and imgs.dtype.kind != "f":
        raise DataError(path, f"{imgs.name} must be uint8 or floating point, got {imgs.dtype}")
    episodes, length = layout.order(*imgs.shape[:2])
    if length < 1 or imgs.shape[2] < 1:
        raise _shape_error(path, imgs, f"[{axes}, H, W, 3] with at least one frame and pixel")

    if MASKS in group:
        masks = dataset(path, group, MASKS)
        channels = 0 if layout is Layout.EPISODES else 1
        shape = masks.shape
        if masks.ndim != 4 + channels or shape[:4] != imgs.shape[:4] or 0 in shape[4:]:
            wanted = f"[{axes}, H, W{', C' * channels}] = {imgs.shape[:4]}"
            raise _shape_error(path, masks, f"{wanted} to go with {imgs.name} {imgs.shape}")
        if masks.dtype.kind not in "uib" + "f" * channels:
            raise DataError(path, f"{masks.name} must hold integer labels, got {masks.dtype}")

    return SplitInfo(
        episodes=episodes,
        length=length,
        image_size=imgs.shape[2],
        action_size=_action_size(path, group, layout, imgs, declared) if actions else 0,
        frame_type=imgs.dtype,
        has_masks=MASKS in group,
        extras=_extras(path, group, layout, imgs.shape[:2], declared),
    )


def dataset(path: Path, group: Group, name: str) -> Array:
    """The array ``name`` of a group.

    Raises:
        DataError: there is none; the message names what there is.
    """
    found = group.get(name)
    if not isinstance(found, Array):
        raise DataError(path, f"group {group.name} has no array {name!r}; {holds(name, group)}")
    return found


def _action_size(path: Path, group: Group, layout: Layout, imgs: Array, declared: bool) -> int:
    """A, after a check of the actions."""
    if ACTIONS not in group:
        raise DataError(
            path,
            f"group {group.name} has no array {ACTIONS!r}; {holds(ACTIONS, group)}. To read the "
            "frames alone, open the file without actions (data.actions=false)",
        )
    actions = dataset(path, group, ACTIONS)
    episodes, length = layout.order(*imgs.shape[:2])
    ours = declared and layout is Layout.EPISODES
    lengths = [length - 1] if ours else [length - 1, length]
    if actions.ndim != 3 or tuple(actions.shape[:2]) not in [
        layout.order(episodes, steps) for steps in lengths
    ]:
        wanted = " or ".join(
            f"[{', '.join(map(str, layout.order(episodes, steps)))}, A]" for steps in lengths
        )
        raise _shape_error(path, actions, f"{wanted} to go with {imgs.name} {imgs.shape}")
    if actions.dtype.kind not in "fiu":
        raise DataError(path, f"{actions.name} must hold numbers, got {actions.dtype}")
    return actions.shape[2]


def _extras(
    path: Path, group: Group, layout: Layout, leading: tuple[int, ...], declared: bool
) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """The further per-frame arrays. A foreign file may hold other things too: they are left out."""
    extras = {}
    for name, found in group.items():
        known = name in (FRAMES, ACTIONS, MASKS)
        if known or not isinstance(found, Array) or found.dtype.kind not in NUMBERS:
            continue
        if found.shape[:2] == leading:
            extras[name] = (found.shape[2:], found.dtype)
        elif declared and layout is Layout.EPISODES:
            raise _shape_error(path, found, f"[N, T, ...] = {leading} in front")
    return extras


def _shape_error(path: Path, found: Array, wanted: str) -> DataError:
    return DataError(path, f"{found.name} must be shaped {wanted}, got {found.shape}")
