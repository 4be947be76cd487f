"""Goals that name objects and their places, without an image: "this object to that place"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.plugins import register
from armillary.world_models.goals.item import Item, read_items, read_rectangle
from armillary.world_models.goals.places import view_of
from armillary.world_models.goals.roles import Background, Effector, FindRoles
from armillary.world_models.goals.sight import Sight, sights
from armillary.world_models.simulator import Goal, Observation, Roles, Simulator, View
from armillary.world_models.state import State


@dataclass(frozen=True)
class Problem:
    """What one episode asks for: which things, of those of one scene, belong where.

    Attributes:
        items: the objects and their places.
        things: the index of each one's slot or true thing.
    """

    items: tuple[Item, ...]
    things: tuple[int, ...]

    def distances(self, positions: NDArray[np.floating]) -> NDArray[np.floating]:
        """(K, 2) positions of everything -> how far each item is from its place, (items,)."""
        pairs = zip(self.items, self.things, strict=True)
        return np.array([item.distance(positions[thing]) for item, thing in pairs])

    def solved(self, positions: NDArray[np.floating], tolerance: float) -> bool:
        """Whether every item is at its point, to within the tolerance, or in its region."""
        points = np.array([bool((item.low == item.high).all()) for item in self.items])
        return bool((self.distances(positions) <= tolerance * points).all())


@register("goal", "object")
@dataclass(frozen=True)
class ObjectGoal:
    """Reads "that object to this place"; objects that are not named may be anywhere.

    The objects are named in the first frame and followed from there. Objectives must work on
    positions alone. Such an episode succeeds when every named object is at its place: by the true
    state where the task tells it, else by where the model sees it.

    Args:
        items: ``{color: red, to: [0.7, 0.3]}`` each: an object by ``color`` (a name or RGB in
            [0, 1]), ``pixel`` ([x, y]: two whole numbers count pixels, others are shares of the
            image), ``slot`` (a number) or ``mask`` (an array of the image's size; a file on the
            command line); a place by ``to`` ([x, y]) or ``region`` ([x0, y0, x1, y1]), in [0, 1]
            of the image, x to the right and y downwards.
        keep_clear: regions that the named objects and the effector are to stay out of.
        tolerance: how far from its point an object may be, in image widths; None takes the task's
            own, or 0.06 where it has none.
        margin: how far inside of regions objects are aimed at, in image widths.
        background: how the background is told, one of ``roles.BACKGROUNDS`` or a function.
        effector: how the effector is told, one of ``roles.EFFECTORS`` or a function.

    Raises:
        ArmillaryError: something is written wrongly.
    """

    items: Sequence[Mapping[str, Any]] = ()
    keep_clear: Sequence[Sequence[float]] = ()
    tolerance: float | None = None
    margin: float = 0.03
    background: str | Background = "largest"
    effector: str | Effector = "moved"

    own_problem = True

    def __post_init__(self) -> None:
        FindRoles(self.background, self.effector)
        for name, value in (("tolerance", self.tolerance), ("margin", self.margin)):
            if value is not None and not 0 <= value < 1:
                raise ArmillaryError(f"goal.{name} must be at least 0 and below 1, got {value}")
        read_items(self.items)
        for i, region in enumerate(self.keep_clear):
            x0, y0, x1, y1 = read_rectangle(f"goal.keep_clear[{i}]", region)
            for item in read_items(self.items):
                if (item.low > (x0, y0)).all() and (item.high < (x1, y1)).all():
                    raise ArmillaryError(
                        f"goal.keep_clear[{i}]={list(region)} holds the place of {item.where}"
                    )

    def items_of(self, observation: Observation) -> tuple[Item, ...]:
        """The items of an episode, by its first observation; the same ones for all."""
        return read_items(self.items)

    def problem(self, items: Sequence[Item], sight: Sight) -> Problem:
        """Finds the items in a scene.

        Raises:
            ArmillaryError: one names nothing that is seen, or two name the same.
        """
        found: dict[int, Item] = {}
        for item in items:
            thing = item.find(sight)
            if thing in found:
                raise ArmillaryError(
                    f"{found[thing].where} and {item.where} name the same object, {thing} "
                    f"({sight.names()[thing]})"
                )
            found[thing] = item
        return Problem(tuple(items), tuple(found))

    def seen(
        self,
        simulator: Simulator[State],
        state: State,
        low: Tensor | float = -1.0,
        high: Tensor | float = 1.0,
    ) -> list[Sight]:
        """What B states show, as the simulator sees it; see ``GoalReader.read`` for the bounds.

        Raises:
            ArmillaryError: the simulator's model does not segment.
        """
        return sights(*self._looked(simulator, state, low, high))

    def _looked(
        self, simulator: Simulator[State], state: State, low: Tensor | float, high: Tensor | float
    ) -> tuple[View[State], Roles]:
        scenes = simulator.view(state)
        if scenes.positions.shape[-2] == 1:
            raise ArmillaryError(
                "goal=object needs a model that tells objects apart, but this one sees every scene "
                "as one slot; take goal=image"
            )
        find = FindRoles(self.background, self.effector, low, high)
        return scenes, simulator.roles(state, find)

    def read(
        self,
        simulator: Simulator[State],
        state: State,
        observations: Sequence[Observation],
        low: Tensor,
        high: Tensor,
    ) -> Goal[Any]:
        """See ``GoalReader``."""
        scenes, roles = self._looked(simulator, state, low, high)
        effector, places = roles.effector.clone(), scenes.positions.clone()
        objects, halves = torch.zeros_like(effector), torch.zeros_like(places)
        for row, (observation, sight) in enumerate(
            zip(observations, sights(scenes, roles), strict=True)
        ):
            problem = self.problem(self.items_of(observation), sight)
            for item, thing in zip(problem.items, problem.things, strict=True):
                centre, half = (item.low + item.high) / 2, (item.high - item.low) / 2
                places[row, thing] = places.new_tensor(centre)
                halves[row, thing] = places.new_tensor((half - self.margin).clip(0.0))
                objects[row, thing], effector[row, thing] = 1.0, 0.0
        assignment = torch.arange(objects.shape[1], device=objects.device).expand(len(objects), -1)
        regions = [[float(end) for end in region] for region in self.keep_clear]
        return Goal(view_of(places), assignment, objects, effector, halves, regions)
