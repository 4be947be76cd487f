"""Files of results as classes: checked when they are read, and what is wrong is told in a line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from armillary.errors import shortened
from armillary.experiments.command.errors import UsageError
from armillary.files import write_json
from armillary.reading import reading
from armillary.suggestions import listed

VERSION = 1
"""Of the files that are written. Those of before it was counted have none, and are read as well."""

_LONGEST = 60
_WORDS = {
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "greater_than_equal": "must be a whole number of at least 0",
    "less_than_equal": "must be a whole number of at most 2**64",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "dict_type": "must be a dictionary",
    "model_type": "must be a dictionary",
    "model_attributes_type": "must be a dictionary",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
}


def _known_version(version: int) -> int:
    if version > VERSION:
        raise ValueError(
            f"is of a later Armillary, this one reads versions up to {VERSION}; update it"
        )
    return version


class Part(BaseModel):
    """A dictionary in a file. Keys that are not known are kept, for those who know them."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="allow", allow_inf_nan=False, protected_namespaces=()
    )


class Stored(Part):
    """A file of results.

    Attributes:
        schema_version: what its keys mean.
        config: the resolved configuration.
        commit: of the program.
        versions: of the libraries.
    """

    schema_version: Annotated[int, AfterValidator(_known_version)] = VERSION
    config: dict[str, Any] = Field(default_factory=dict)
    commit: str = ""
    versions: dict[str, str] = Field(default_factory=dict)


Kind = TypeVar("Kind", bound=Part)
Count = Annotated[int, Field(ge=0, le=2**64)]
Number = float | None
"""None for one that is not known."""


def _ordered(edges: tuple[Number, ...]) -> tuple[Number, ...]:
    known = [edge for edge in edges if edge is not None]
    if len(edges) != 2 or known != sorted(known):
        raise ValueError("must be an interval [low, high] with low <= high")
    return edges


Interval = Annotated[tuple[Number, ...], AfterValidator(_ordered)]
"""(low, high)."""


def read(path: Path, kind: type[Kind]) -> Kind:
    """The content of a JSON file.

    Raises:
        UsageError: there is no such file, it is no JSON, or something in it is missing or wrong:
            the message names the file, the field and what was expected.
    """
    if not path.is_file():
        raise UsageError(f"{path.parent} has no {path.name}")
    with reading(path, "cannot be read", UsageError):
        try:
            return kind.model_validate_json(_readable(path.read_bytes()))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise UsageError(_told(path, dict(first))) from error


def _readable(content: bytes) -> bytes:
    """JSON whose texts are all Unicode, which names of files need not be."""
    if b"\\ud" not in content.lower():
        return content
    return json.dumps(json.loads(content), ensure_ascii=False).encode(errors="replace")


def write(path: Path, content: Stored) -> None:
    """Writes a file that is either whole or not there; what was not given is left out."""
    given = content.model_dump(mode="json", exclude_unset=True)
    write_json(path, {"schema_version": VERSION, **given})


def _told(path: Path, error: dict[str, Any]) -> str:
    """One line about the first thing that is wrong in a file."""
    kind, where, value = error["type"], error["loc"], error["input"]
    if kind == "json_invalid":
        return f"{path} is damaged: it cannot be read as JSON ({error['ctx']['error']})"
    if kind == "missing":
        return f"{_place(path, where[:-1])} has no {where[-1]!r}; it has {listed(value, 'nothing')}"
    told = error.get("ctx", {}).get("error") if kind == "value_error" else _WORDS.get(kind)
    if not where and kind == "value_error":
        return f"{path}: {told}"
    shown = shortened(json.dumps(value, default=str), _LONGEST)
    return f"{_place(path, where)} {told or error['msg']}, got {shown}"


def _place(path: Path, where: Sequence[int | str]) -> str:
    return f"{path}: {'.'.join(map(str, where))}" if where else str(path)
