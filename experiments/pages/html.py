"""Turns views into pages by the templates; whatever they are told is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from armillary.experiments.films.embedded import FilmRequest

_ENVIRONMENT = Environment(
    loader=PackageLoader("armillary.experiments.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_BETWEEN_TAGS = re.compile(r">\s*\n\s*<")


@dataclass(frozen=True)
class Section:
    """A part of a page under its heading: a template and what it shows."""

    title: str
    template: str
    view: Any


@dataclass(frozen=True)
class Content:
    """What a page shows of one run.

    Attributes:
        template: of its tables and charts.
        view: what that shows.
        about: one line that says what was measured on what.
        highlights: a few figures, each with what it is; the first one sums the run up.
        films: shown below the tables.
        gallery: whether the films stand side by side.
    """

    template: str = "facts.html.j2"
    view: Any = ()
    about: str = ""
    highlights: Sequence[tuple[str, str]] = ()
    films: Sequence[FilmRequest] = field(default=())
    gallery: bool = False


def render(template: str, **told: Any) -> str:
    """A page as HTML; line breaks between tags are left out, names that are no Unicode escaped."""
    style = Markup(_source("style.css"))
    html = _ENVIRONMENT.get_template(template).render(style=style, **told)
    return _BETWEEN_TAGS.sub("><", html).encode(errors="backslashreplace").decode()


def part(name: str, *told: Any, template: str = "parts.html.j2") -> str:
    """What one macro makes of its arguments."""
    module: Any = _ENVIRONMENT.get_template(template).module
    return _BETWEEN_TAGS.sub("><", str(getattr(module, name)(*told)).strip())


def _source(name: str) -> str:
    assert _ENVIRONMENT.loader is not None
    return _ENVIRONMENT.loader.get_source(_ENVIRONMENT, name)[0]
