"""An item of a goal: which object, and where it should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armillary.errors import ArmillaryError
from armillary.suggestions import listed, suggest
from armillary.world_models.goals.sight import ALIASES, COLORS, Sight

NAMED_BY, PLACED_BY = ("color", "pixel", "slot", "mask"), ("to", "region")
_ALIKE = 0.25
"""How far apart RGB colours in [0, 1] may be to be the same."""


@dataclass(frozen=True)
class Item:
    """One object and its place, a point or a rectangle.

    Attributes:
        where: the item's own name in messages.
        by: one of ``NAMED_BY``.
        value: what it is named by.
        low: (2,) upper left corner of its place, in [0, 1] of the image.
        high: (2,) lower right corner; of a point it is ``low``.
    """

    where: str
    by: str
    value: Any
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def find(self, sight: Sight) -> int:
        """Which slot or thing of a scene it names.

        Raises:
            ArmillaryError: none, or several; the message lists what is seen.
        """
        if not sight.seen:
            raise ArmillaryError(f"{self.where}: no object is seen in the scene")
        return {"color": self._color, "pixel": self._pixel, "slot": self._slot, "mask": self._mask}[
            self.by
        ](sight)

    def as_seen(self, sight: Sight) -> Item:
        """The same item named by its mask, for a scene whose slots are numbered otherwise."""
        if self.by != "slot":
            return self
        return replace(self, by="mask", value=sight.labels == self.find(sight))

    def distance(self, places: NDArray[np.floating]) -> NDArray[np.floating]:
        """From its place to (..., 2) places, in image widths; 0 inside a rectangle."""
        return np.linalg.norm(places - places.clip(self.low, self.high), axis=-1)

    def _color(self, sight: Sight) -> int:
        names = sight.names()
        if isinstance(self.value, str):
            wanted = ALIASES.get(self.value, self.value)
            found = [k for k in sight.seen if names[k] == wanted]
        else:
            distance = np.linalg.norm(sight.colors - np.asarray(self.value), axis=-1)
            found = [k for k in sight.seen if distance[k] < _ALIKE]
            found = sorted(found, key=lambda k: distance[k])[:1]
        if not found:
            seen = listed(dict.fromkeys(names[k] for k in sight.seen))
            raise ArmillaryError(
                f"{self.where}: nothing of color {self.value!r} is seen; seen are {seen}"
            )
        if len(found) > 1:
            raise ArmillaryError(
                f"{self.where}: {len(found)} things are {self.value}, {listed(found)}; name "
                "one by pixel, slot or mask"
            )
        return found[0]

    def _pixel(self, sight: Sight) -> int:
        height, width = sight.masks.shape[1:]
        x, y = self.value
        if isinstance(x, int) and isinstance(y, int):
            if x >= width or y >= height:
                raise ArmillaryError(
                    f"{self.where}: pixel {[x, y]} lies outside the image, which has "
                    f"{width} x {height} pixels"
                )
            column, row = x, y
        else:
            column, row = min(int(x * width), width - 1), min(int(y * height), height - 1)
        return self._thing(sight, int(sight.labels[row, column]), f"pixel {[x, y]} shows")

    def _slot(self, sight: Sight) -> int:
        if self.value >= len(sight.things):
            raise ArmillaryError(
                f"{self.where}: slot must be in 0..{len(sight.things) - 1}, got {self.value}"
            )
        return self._thing(sight, self.value, f"slot {self.value} is")

    def _mask(self, sight: Sight) -> int:
        mask = self.value
        if mask.shape != sight.masks.shape[1:]:
            raise ArmillaryError(
                f"{self.where}: the mask must have the size of the image, "
                f"{_size(sight.masks.shape[1:])}, got {_size(mask.shape)}"
            )
        labels = sight.labels
        shared = [
            (mask & (labels == k)).sum() / (mask | (labels == k)).sum()
            for k in range(len(sight.masks))
        ]
        return self._thing(sight, int(np.argmax(shared)), "the mask covers")

    def _thing(self, sight: Sight, found: int, what: str) -> int:
        if not sight.things[found]:
            raise ArmillaryError(
                f"{self.where}: {what} the background or nothing; things are "
                f"{listed(f'{k} ({sight.names()[k]})' for k in sight.seen)}"
            )
        return found


def read_items(items: Any) -> tuple[Item, ...]:
    """Checks items as users write them, ``{color: red, to: [0.7, 0.3]}`` each.

    Raises:
        ArmillaryError: one is wrong; the message says which and how.
    """
    if isinstance(items, str | Mapping) or not isinstance(items, Sequence) or not items:
        raise ArmillaryError(
            "goal.items must be a list of objects and places, such as "
            f"[{{color: red, to: [0.7, 0.3]}}], got {items!r}"
        )
    return tuple(_read(f"goal.items[{i}]", item) for i, item in enumerate(items))


def read_rectangle(where: str, value: Any) -> tuple[float, float, float, float]:
    """Raises ArmillaryError unless it is [x0, y0, x1, y1] in [0, 1], x0 < x1 and y0 < y1."""
    x0, y0, x1, y1 = _numbers(where, value, ("x0", "y0", "x1", "y1"))
    if x0 >= x1 or y0 >= y1:
        raise ArmillaryError(f"{where} must have x0 < x1 and y0 < y1, got {list(value)}")
    return x0, y0, x1, y1


def _read(where: str, item: Any) -> Item:
    if not isinstance(item, Mapping):
        raise ArmillaryError(
            f"{where} must hold keys and values, such as {{color: red, to: [0.7, 0.3]}}, "
            f"got {item!r}"
        )
    for key in item:
        if key not in (*NAMED_BY, *PLACED_BY):
            raise ArmillaryError(
                f"{where} has an unknown key {key!r}; {suggest(str(key), (*NAMED_BY, *PLACED_BY))}"
            )
    by, place = (_one(where, item, keys) for keys in (NAMED_BY, PLACED_BY))
    value = _VALUES[by](f"{where}.{by}", item[by])
    if place == "to":
        low = high = _numbers(f"{where}.to", item["to"], ("x", "y"))
    else:
        corners = read_rectangle(f"{where}.region", item["region"])
        low, high = corners[:2], corners[2:]
    return Item(where, by, value, np.array(low), np.array(high))


def _one(where: str, item: Mapping[str, Any], keys: Sequence[str]) -> str:
    given = [key for key in keys if key in item]
    if len(given) != 1:
        raise ArmillaryError(
            f"{where} needs exactly one of {', '.join(keys)}, got {listed(given, 'none')}"
        )
    return given[0]


def _numbers(where: str, value: Any, names: Sequence[str]) -> tuple[float, ...]:
    """Numbers in [0, 1]."""
    wanted = f"[{', '.join(names)}]"
    if isinstance(value, str) or not isinstance(value, Sequence | np.ndarray):
        raise ArmillaryError(f"{where} must be {wanted}, got {value!r}")
    numbers = list(value)
    if len(numbers) != len(names) or not all(
        isinstance(n, Real) and not isinstance(n, bool) for n in numbers
    ):
        raise ArmillaryError(f"{where} must be {wanted}, got {numbers}")
    if not all(0.0 <= n <= 1.0 for n in numbers):
        raise ArmillaryError(
            f"{where} must lie in [0, 1] of the image, x to the right and y downwards, "
            f"got {numbers}"
        )
    return tuple(float(n) for n in numbers)


def _color(where: str, value: Any) -> Any:
    if isinstance(value, str):
        if value not in (*COLORS, *ALIASES):
            raise ArmillaryError(f"{where}: unknown color {value!r}; {suggest(value, COLORS)}")
        return value
    return _numbers(where, value, ("red", "green", "blue"))


def _pixel(where: str, value: Any) -> Any:
    """Two whole numbers count pixels; others are shares of the image."""
    if isinstance(value, Sequence) and len(value) == 2 and all(map(_whole, value)):
        return tuple(int(n) for n in value)
    return _numbers(where, value, ("x", "y"))


def _slot(where: str, value: Any) -> int:
    if not _whole(value):
        raise ArmillaryError(f"{where} must be the number of a slot, from 0, got {value!r}")
    return int(value)


def _mask(where: str, value: Any) -> NDArray[np.bool_]:
    """An array (H, W), or (H, W, 3) or (H, W, 4) of which colour counts; not black is the thing."""
    mask = np.asarray(value)
    if mask.ndim == 3:
        mask = mask[..., :3].any(-1)
    if mask.ndim != 2 or mask.dtype.kind not in "biuf" or not mask.any():
        raise ArmillaryError(
            f"{where} must be an image (H, W) that is not black all over, got shape {mask.shape}"
        )
    return mask.astype(bool)


def _whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 0


def _size(shape: Sequence[int]) -> str:
    return f"{shape[1]} x {shape[0]} pixels"


_VALUES = {"color": _color, "pixel": _pixel, "slot": _slot, "mask": _mask}
