"""Poses the problems of PushT: a start, and a goal that so many control steps of play led to."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from armillary.envs.options import known
from armillary.envs.push_t.criterion import differences, tolerances
from armillary.envs.push_t.layout import Factors, fresh_scene
from armillary.envs.push_t.physics import DYNAMICS, HOLD, Scene, simulate
from armillary.envs.push_t.policies import PushPolicy
from armillary.envs.push_t.recorded import Recorded, recorded
from armillary.errors import ArmillaryError
from armillary.numbers import is_whole

KINDS = ("episode", "clean")
LEAST_MOTION, LEAST_TURN = 20.0, math.radians(20.0)
"""Of the T in a clean problem, in pixels or in radians: one of both at least."""

_EPISODE = 20
"""Actions of an episode that is played for a problem; more where the distance asks for it."""
_ATTEMPTS = 1000


@dataclass(frozen=True)
class Problems:
    """Draws problems that are not solved at their start.

    Args:
        kind: ``episode``, start and goal anywhere in an episode, or ``clean``, from a fresh scene
            on, the T having to move by 20 pixels or to turn by 20 degrees.
        distance: control steps from start to goal, a multiple of 5: 25, 50 or 75.
        episodes: path of a file that ``collect`` wrote, whose split ``test`` is drawn from; None
            for episodes that the scripted policy plays on the spot.

    Raises:
        ArmillaryError: a value is not valid, or does not go with the file, see ``recorded``.
    """

    kind: str
    distance: int
    episodes: str | None

    def __post_init__(self) -> None:
        known("kind of problems", self.kind, KINDS)
        if not is_whole(self.distance) or self.distance < HOLD or self.distance % HOLD:
            raise ArmillaryError(
                f"distance must be a multiple of {HOLD} control steps, such as 25, 50 or 75, "
                f"got {self.distance!r}"
            )
        if self.episodes is not None:
            if self.kind == "clean":
                raise ArmillaryError(
                    "clean problems start from fresh scenes, which no file holds: leave out "
                    f"episodes={self.episodes}, or take problems=episode"
                )
            self._file()

    def draw(self, rng: np.random.Generator, factors: Factors) -> tuple[Scene, Scene]:
        """A start and a goal, both scene vectors without a goal region.

        Raises:
            ArmillaryError: nearly all problems are solved at their start.
        """
        for _ in range(_ATTEMPTS):
            start, goal = self._drawn(rng, factors)
            if self._suits(start, goal):
                return start, goal
        raise ArmillaryError(
            f"of {_ATTEMPTS} problems with distance={self.distance} none starts unsolved, since "
            "agent and T hardly move in these episodes: choose a greater distance or other ones"
        )

    def _drawn(self, rng: np.random.Generator, factors: Factors) -> tuple[Scene, Scene]:
        if self.episodes is not None:
            start, goal = self._file().draw(rng, self.distance)
            for scene in (start, goal):
                scene[12:24] = factors.vector[2:]
            return start, goal
        actions = self.distance // HOLD
        lead = 0
        if self.kind == "episode":
            lead = int(rng.integers(max(_EPISODE, actions) - actions + 1))
        return played(rng, factors, lead, actions)

    def _suits(self, start: Scene, goal: Scene) -> bool:
        poses = start[DYNAMICS][:5], goal[DYNAMICS][:5]
        if tolerances(*poses) < 1.0:
            return False
        moved, turned = math.dist(start[2:4], goal[2:4]), float(differences(*poses)[1])
        return self.kind != "clean" or moved >= LEAST_MOTION or turned >= LEAST_TURN

    def _file(self) -> Recorded:
        assert self.episodes is not None
        found = recorded(self.episodes)
        found.check_length(self.distance)
        return found


def played(
    rng: np.random.Generator, factors: Factors, lead: int, actions: int
) -> tuple[Scene, Scene]:
    """The scenes before and after so many actions of the scripted policy.

    Args:
        rng: draws a fresh scene and what the policy does.
        factors: of the scene.
        lead: actions before.
        actions: between both.
    """
    scene = fresh_scene(rng, factors)
    policy = PushPolicy()
    policy.reset(rng)
    scenes = [scene]
    for _ in range(lead + actions):
        scenes.append(simulate(scenes[-1], policy.act(scenes[-1])[None])[0])
    return scenes[lead], scenes[-1]
