"""Damages trees of JSON's types: other types, huge numbers, NaN, deep nesting, other keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tests.reliability.fuzz.mutate import raw

Path = tuple[str | int, ...]

DEEP = "\x01deep"
"""Stands in a tree for so many brackets that no parser follows them all."""
LONG = "\x01long"
"""Stands for a number of thousands of digits."""
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 255, -(2**31), 2**31, 2**53 + 1, 2**63, 2**64, -(2**63)),
    *(10**30, 10**400, 0.0, -0.0, 0.5, 1e-320, 1e30, 1e308, -1e308, 10**7, 10**5),
    *(float("nan"), float("inf"), float("-inf")),
    *("", "a", "0", "1", "nan", "-1e999", "\x00", "\ud800", "é" * 3, "x" * 5000, "../../x", "/"),
    *("2026-01-01", "auto", "[1", "a.b.c", "%s%n", "{x}", "${x}", "???", "\n", "true", "null"),
    *([], {}, [[]], [{}], {"": ""}, [None], [1], [1, 2], ["a", "b"], {"a": {"b": {"c": 1}}}),
    *(DEEP, LONG),
)


def nodes(tree: Any) -> list[Path]:
    """The places of everything in a tree."""
    found: list[Path] = []
    left: list[tuple[Path, Any]] = [((), tree)]
    while left:
        path, node = left.pop()
        found.append(path)
        if isinstance(node, dict):
            left += [((*path, key), value) for key, value in node.items()]
        elif isinstance(node, list):
            left += [((*path, index), value) for index, value in enumerate(node)]
    return found


def at(tree: Any, path: Path) -> Any:
    """What is at a place."""
    for key in path:
        tree = tree[key]
    return tree


def damaged(random: Random, tree: Any, odd: Sequence[Any] = ODD) -> Any:
    """Another tree: one to three places changed. The given one is left as it is."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        path = random.choice(nodes(tree))
        tree = _changed(tree, path, random.choice(_KINDS)(random, tree, at(tree, path), odd))
    return tree


def text(tree: Any) -> str:
    """A tree as JSON, with NaN and infinite numbers as Python writes them."""
    written = json.dumps(tree, ensure_ascii=len(str(tree)) % 2 == 0)
    deep = "[" * 100_000 + "]" * 100_000
    return written.replace(json.dumps(DEEP), deep).replace(json.dumps(LONG), "7" * 5000)


def json_damaged(random: Random, content: bytes) -> bytes:
    """JSON with other values; one time in six with damaged bytes."""
    if random.random() < 1 / 6:
        return raw.damaged(random, content)
    changed = text(damaged(random, json.loads(content)))
    if random.random() < 0.02:
        changed = changed.replace("{", '{"verb": 1, ', 1)
    return changed.encode("utf-8", "surrogatepass")


def _changed(tree: Any, path: Path, value: Any) -> Any:
    """A copy along the path with another value at its end; ``_Gone`` removes it."""
    if not path:
        return {} if value is _Gone else value
    key, rest = path[0], path[1:]
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    below = _changed(copy[key], rest, value) if rest else value  # pyright: ignore
    if below is _Gone:
        del copy[key]  # pyright: ignore
    else:
        copy[key] = below  # pyright: ignore
    return copy


class _Gone:
    """What is put where something is removed."""


def _other(random: Random, tree: Any, node: Any, odd: Sequence[Any]) -> Any:
    return random.choice(odd)


def _gone(random: Random, tree: Any, node: Any, odd: Sequence[Any]) -> Any:
    return _Gone


def _elsewhere(random: Random, tree: Any, node: Any, odd: Sequence[Any]) -> Any:
    return at(tree, random.choice(nodes(tree)))


def _near(random: Random, tree: Any, node: Any, odd: Sequence[Any]) -> Any:
    """The same type, another value."""
    if isinstance(node, bool):
        return not node
    if isinstance(node, int):
        return node * random.choice((-1, 0, 2, 1000, 10**9)) + random.choice((-1, 0, 1))
    if isinstance(node, float):
        return node * random.choice((-1.0, 0.0, 1e-9, 1e9, 1e300))
    if isinstance(node, str):
        return random.choice((node * 2, node[1:], node.upper(), f" {node}", f"{node}\x00", ""))
    if isinstance(node, list):
        kept = [item for item in node if random.random() < 0.7]
        return random.choice((node * 2, node[::-1], kept, [*node, random.choice(odd)], node * 100))
    if isinstance(node, dict):
        return _near_keys(random, node, odd)
    return random.choice(odd)


def _near_keys(random: Random, node: dict[str, Any], odd: Sequence[Any]) -> dict[str, Any]:
    named = {**node, random.choice(("", "x", "mean", "0", "\x00", "é")): random.choice(odd)}
    if not node:
        return named
    key = random.choice(list(node))
    renamed = {(f"{k}_" if k == key else k): value for k, value in node.items()}
    few = {k: v for k, v in node.items() if random.random() < 0.5}
    many = {**node, **{f"more{n}": node[key] for n in range(200)}}
    return random.choice((named, renamed, few, many))


def _wrapped(random: Random, tree: Any, node: Any, odd: Sequence[Any]) -> Any:
    depth = random.choice((1, 1, 2, 60, 300))
    for _ in range(depth):
        node = [node] if depth % 2 else {"x": node}
    return node


_KINDS: tuple[Callable[[Random, Any, Any, Sequence[Any]], Any], ...] = (
    _other,
    _other,
    _other,
    _near,
    _near,
    _gone,
    _elsewhere,
    _wrapped,
)
