"""The view of a goal that says where slots should be, and nothing about how the scene looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from torch import Tensor

from armillary.errors import ArmillaryError
from armillary.world_models.simulator import View
from armillary.world_models.state import LatentState


@dataclass(frozen=True)
class Places(LatentState):
    """Of N goals.

    Attributes:
        places: (N, K, 2) in [0, 1] of the image.
    """

    places: Tensor


class _PlacesReader:
    """Reads positions; everything else is refused."""

    def positions(self, state: Places) -> Tensor:
        return state.places

    def slots(self, state: Places) -> NoReturn:
        raise _no_image("slots")

    def orientations(self, state: Places) -> NoReturn:
        raise _no_image("orientations")

    def handles(self, state: Places) -> NoReturn:
        raise _no_image("handles")

    def decode(self, state: Places) -> NoReturn:
        raise _no_image("image")

    def frames(self, state: Places) -> NoReturn:
        raise _no_image("image")

    def masks(self, state: Places) -> NoReturn:
        raise _no_image("masks")


def view_of(places: Tensor) -> View[Places]:
    """Of B goals, (B, K, 2)."""
    return View(Places(places), (len(places),), _PlacesReader())


def _no_image(what: str) -> ArmillaryError:
    return ArmillaryError(
        f"the goal has no {what}, it only says where objects should be; take "
        "objective=object_position, or goal=image; proposals=[shifted] need none either"
    )
