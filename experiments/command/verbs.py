"""The verbs: what their YAMLs declare. Reads files only, composes nothing."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

CONF_MODULE = "armillary.experiments.conf"
CONF = Path(__file__).parents[1] / "conf"
POSITIONAL = "positional"


def verbs() -> tuple[str, ...]:
    """The commands: every YAML at the top of ``experiments/conf`` is one."""
    return tuple(sorted(path.stem for path in CONF.glob("*.yaml")))


@cache
def declared(verb: str) -> DictConfig:
    """A verb's own YAML, as it is written; not to be changed."""
    content = OmegaConf.load(CONF / f"{verb}.yaml")
    assert isinstance(content, DictConfig)
    OmegaConf.set_readonly(content, True)
    return content


def options_of(verb: str) -> list[str]:
    """The keys at the top of a verb's YAML."""
    return [str(key) for key in declared(verb) if key not in ("defaults", POSITIONAL)]


def groups_of(verb: str) -> tuple[str, ...]:
    """The groups that a verb's configuration is made of."""
    entries = [entry for entry in _list_of(verb, "defaults") if isinstance(entry, dict)]
    return tuple(str(group) for entry in entries for group in entry)


def positional_of(verb: str) -> tuple[str, ...]:
    """The keys that words without ``key=`` set, in their order: ``positional`` in a verb's YAML.

    The last one may end in ``...``: it is set to the list of all further words.
    """
    return tuple(map(str, _list_of(verb, POSITIONAL)))


def _list_of(verb: str, key: str) -> list[Any]:
    found = declared(verb).get(key, [])
    return [OmegaConf.to_container(item) if OmegaConf.is_config(item) else item for item in found]
