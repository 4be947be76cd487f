"""Episodes of PushT that ``collect`` wrote, as a source of problems."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armillary.envs.push_t.criterion import differences
from armillary.envs.push_t.oracle import hold_of
from armillary.envs.push_t.physics import SCENE_SIZE, Scene, simulate
from armillary.errors import DataError
from armillary.hdf5.array import Array
from armillary.hdf5.file import File, Group

ENVIRONMENT = "armillary/PushT-v0"
TOLD = 12
"""The first numbers of a scene vector, which the observation tells and a file holds as poses."""

_SIZES = slice(10, 12)
"""The radius of the agent and the scale of the T among them."""

_REPLAYED = 5
"""Episodes of a file whose actions are played again."""
_CLOSE, _CLOSE_TURN, _SHARE = 1.0, 0.05, 0.1
"""Pixels and radians by which a share of the outcomes may differ: corners that slip magnify
rounding."""


@dataclass(frozen=True)
class Recorded:
    """The episodes of a split.

    Attributes:
        path: of the file.
        poses: (N, T, TOLD).
        hold: control steps from frame to frame.
    """

    path: Path
    poses: NDArray[np.float64]
    hold: int

    def check_length(self, distance: int) -> None:
        """Raises DataError unless the episodes last for so many control steps."""
        frames = self.poses.shape[1]
        if (frames - 1) * self.hold < distance or distance % self.hold:
            raise DataError(
                self.path,
                f"its episodes have {frames} frames, which are {(frames - 1) * self.hold} control "
                f"steps, and distance={distance} is asked for: collect longer ones, length="
                f"{distance // self.hold + 1} or more, or choose a smaller distance",
            )

    def draw(self, rng: np.random.Generator, distance: int) -> tuple[Scene, Scene]:
        """Two scenes of an episode, so many control steps apart; their colours are black."""
        episodes, frames, _ = self.poses.shape
        apart = distance // self.hold
        episode, time = int(rng.integers(episodes)), int(rng.integers(frames - apart))
        start, goal = np.zeros(SCENE_SIZE), np.zeros(SCENE_SIZE)
        start[:TOLD], goal[:TOLD] = self.poses[episode, time], self.poses[episode, time + apart]
        return start, goal


def recorded(path: str) -> Recorded:
    """Reads the split ``test`` of a file.

    Raises:
        DataError: it is no file of episodes of this environment, or they were recorded by another
            version of it, in which the same actions have other outcomes.
    """
    found = Path(path).expanduser()
    if not found.is_file():
        raise DataError(found, "there is no such file; episodes names one that collect wrote")
    stamp = found.stat()
    return _read(found, stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=4)
def _read(path: Path, changed: int, size: int) -> Recorded:
    with closing(File(path)) as file:
        environment = file.attrs.get("environment", "unknown")
        if environment != ENVIRONMENT:
            raise DataError(
                path,
                f"its episodes are of the environment {environment!r}, and problems need those of "
                f"{ENVIRONMENT}: armillary collect task=push_t policy=scripted",
            )
        hold = hold_of(str(file.attrs.get("environment_action", "held")))
        test = file.get("test")
        poses, actions = (
            test.get(name) if isinstance(test, Group) else None for name in ("poses", "actions")
        )
        if not isinstance(poses, Array) or not isinstance(actions, Array) or poses.ndim != 3:
            raise DataError(path, "it must hold test/poses [N, T, P] and test/actions")
        shape = poses.shape
        if shape[0] < 1 or shape[1] < 2 or shape[2] != TOLD:
            raise _other_version(path, f"it has test/poses {shape}, not (N, T, {TOLD})")
        found, played = Recorded(path, poses[:].astype(np.float64), hold), actions[:_REPLAYED]
        if not (np.isfinite(found.poses).all() and np.isfinite(played).all()):
            raise DataError(path, "test/poses and test/actions must be finite numbers")
        if not (found.poses[..., _SIZES] > 0).all():
            raise DataError(path, "test/poses must tell radii and scales above zero")
        _replay(found, played)
    return found


def _replay(found: Recorded, actions: NDArray[np.floating]) -> None:
    """Plays recorded actions again. Raises DataError where something else follows."""
    off = []
    for poses, played in zip(found.poses, actions, strict=False):
        for before, action, after in zip(poses, played, poses[1:], strict=False):
            scene = np.zeros(SCENE_SIZE)
            scene[:TOLD] = before
            place, turn = differences(simulate(scene, action[None], found.hold)[0, :5], after[:5])
            off.append(place > _CLOSE or turn > _CLOSE_TURN)
    if np.mean(off) > _SHARE:
        raise _other_version(
            found.path, f"{np.mean(off):.0%} of its actions lead elsewhere than recorded"
        )


def _other_version(path: Path, what: str) -> DataError:
    return DataError(
        path,
        f"its episodes were recorded by another version of {ENVIRONMENT}: {what}; collect them "
        "again with this one",
    )
