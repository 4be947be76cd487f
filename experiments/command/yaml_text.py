"""YAML of strangers as keys and values, or a line that says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf._utils import get_yaml_loader
from omegaconf.errors import OmegaConfBaseException

from armillary.errors import ArmillaryError
from armillary.reading import reading

_MOST, _DEEPEST = 100_000, 50
"""Values of a file once its aliases are written out, which a few lines can make any number, and
levels: what reads them takes many steps for each."""


def keys_and_values(text: str, path: Path | str) -> DictConfig:
    """The content of a YAML file.

    Args:
        text: of the file.
        path: for messages.

    Raises:
        ArmillaryError: it is no YAML, or holds something else than keys and values.
    """
    with reading(path, "is no YAML", ArmillaryError, yaml.YAMLError, OmegaConfBaseException):
        loader = get_yaml_loader()(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
        values, depth = _size(node, {})
        if values > _MOST or depth > _DEEPEST:
            raise ValueError(f"{values} values with its aliases, {depth} levels deep")
        content = OmegaConf.create(text)
    if not isinstance(content, DictConfig):
        raise ArmillaryError(path, "must hold keys and values")
    return content


def read(path: Path, name: str | None = None) -> tuple[DictConfig, str]:
    """The content of a YAML file, and its text.

    Args:
        path: of the file.
        name: of it for messages; by default its path.

    Raises:
        ArmillaryError: it cannot be read, is no YAML, or holds something else than keys and values.
    """
    with reading(name or path, "is no YAML"):
        text = path.read_text(encoding="utf-8")
    return keys_and_values(text, name or path), text


def _size(node: yaml.Node | None, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """How many values a node holds, what is behind aliases included, and how deep they lie.

    Raises:
        RecursionError: it holds itself.
    """
    key = id(node)
    if key not in known:
        inside = node.value if isinstance(node, yaml.CollectionNode) else []
        pairs = (entry if isinstance(entry, tuple) else (entry,) for entry in inside)
        sizes = [_size(child, known) for pair in pairs for child in pair]
        known[key] = (1 + sum(s[0] for s in sizes), 1 + max((s[1] for s in sizes), default=0))
    return known[key]
