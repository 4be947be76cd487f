"""Decides which of the two leading axes of a file without a declaration counts episodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from armillary.hdf5.array import Array
from armillary.hdf5.file import Group
from armillary.world_models.data.schema import ACTIONS, FRAMES, DataError, Layout

_GRID = 5
"""Rows and columns of the places where neighbouring frames are compared, in every split."""
_CLEARLY = 2.0
"""How much more alike frames along time are than along episodes, and in which share of places."""
_MOSTLY = 0.75


def find_layout(path: Path, splits: Mapping[str, Group]) -> Layout:
    """The layout of a file that declares none, from evidence.

    The actions decide where their shape fits one layout alone. Else two signs count: splits that
    share the length of one axis and not of the other share that of time; and neighbouring frames
    of an episode are far more alike than frames of neighbouring episodes.

    Args:
        path: of the file, for messages.
        splits: the groups of the splits that there are, by name.

    Raises:
        DataError: nothing decides, or the signs contradict each other.
    """
    found = {name: array for name in splits if (array := _array(splits[name], FRAMES)) is not None}
    possible = _by_actions(splits, found)
    if len(possible) == 1:
        return possible.pop()
    signs = {"the lengths of the splits": _by_lengths(found), "the frames": _by_likeness(found)}
    told = {sign: layout for sign, layout in signs.items() if layout}
    if len(set(told.values())) == 1:
        return next(iter(told.values()))
    if not found:
        return Layout.REFERENCE  # what is missing is told by whoever reads it
    shape = " and ".join(str(array.shape[:2]) for array in found.values())
    why = " but ".join(f"{sign} say {layout}" for sign, layout in told.items())
    raise DataError(
        path,
        f"is {shape} in front episodes x time or time x episodes? The file has no attribute "
        f"'format', and {why or 'neither lengths nor frames tell'}. Say data.layout=episodes "
        "([N, T, ...]) or data.layout=reference ([T, N, ...]) (source.layout= of convert)",
    )


def _array(group: Group, name: str) -> Array | None:
    found = group.get(name)
    whole = isinstance(found, Array) and found.ndim > 2 and 0 not in found.shape
    return found if whole else None  # pyright: ignore[reportReturnType]


def _by_actions(splits: Mapping[str, Group], frames: Mapping[str, Array]) -> set[Layout]:
    """The layouts that the shapes of all actions fit."""
    possible = set(Layout)
    for name, imgs in frames.items():
        actions = _array(splits[name], ACTIONS)
        if actions is not None:
            possible &= {layout for layout in Layout if _fits(layout, imgs, actions)}
    return possible


def _fits(layout: Layout, imgs: Array, actions: Array) -> bool:
    (episodes, length), (rows, steps) = (layout.order(*a.shape[:2]) for a in (imgs, actions))
    return rows == episodes and steps in (length - 1, length)


def _by_lengths(frames: Mapping[str, Array]) -> Layout | None:
    first, second = (len({imgs.shape[axis] for imgs in frames.values()}) for axis in (0, 1))
    if first == second or 1 not in (first, second):
        return None
    return Layout.REFERENCE if first == 1 else Layout.EPISODES


def _by_likeness(frames: Mapping[str, Array]) -> Layout | None:
    """From how much frames differ from the next along either axis; None where that is unclear."""
    steps = np.array([step for imgs in frames.values() for step in _steps(imgs)])
    if not len(steps):
        return None
    first, second = steps.mean(0)
    if first * _CLEARLY < second and (steps[:, 0] < steps[:, 1]).mean() >= _MOSTLY:
        return Layout.REFERENCE
    if second * _CLEARLY < first and (steps[:, 1] < steps[:, 0]).mean() >= _MOSTLY:
        return Layout.EPISODES
    return None


def _steps(imgs: Array) -> list[tuple[float, float]]:
    """At some places, the mean difference to the next frame along the first and second axis."""
    rows, columns = (
        np.unique(np.linspace(0, count - 2, _GRID).astype(int)).tolist() if count > 1 else []
        for count in imgs.shape[:2]
    )
    found = []
    for row in rows:
        for column in columns:
            here, below, beside = (
                imgs[place].astype(np.float32)
                for place in ((row, column), (row + 1, column), (row, column + 1))
            )
            found.append((float(abs(below - here).mean()), float(abs(beside - here).mean())))
    return found
