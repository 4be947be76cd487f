"""The table of success rates with their intervals, as a part of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from armillary.experiments.pages.charts import interval_axis, interval_bar


@dataclass(frozen=True)
class Result:
    """How often something reached the goal.

    Attributes:
        name: what planned.
        explanation: one line, or empty.
        successes: episodes that reached the goal.
        episodes: all episodes.
        interval: 95 % Wilson interval of the success rate, in [0, 1].
        steps: median steps to success; ``None`` without a success.
        seconds: median seconds of a plan; ``None`` where nothing is planned.
        best: whether it is marked as better than all others.
    """

    name: str
    explanation: str
    successes: int
    episodes: int
    interval: tuple[float, float]
    steps: float | None
    seconds: float | None
    best: bool = False


@dataclass(frozen=True)
class Results:
    """A table of success rates; the note says what an episode was and how it was counted."""

    note: str
    results: Sequence[Result]

    def html(self) -> str:
        """Its HTML."""
        rows = "".join(map(_result, self.results))
        return (
            f"<p>{escape(self.note)}</p>"
            '<table class="results"><thead><tr><th scope="col">Planned with</th>'
            '<th scope="col">Success</th><th scope="col">95 % interval</th><td></td>'
            '<th scope="col">Median steps</th><th scope="col">Seconds a plan</th></tr></thead>'
            f'<tbody>{rows}</tbody><tfoot><tr><td colspan="3"></td>'
            f'<td class="bar">{interval_axis()}</td><td colspan="2"></td></tr></tfoot></table>'
        )


def _result(result: Result) -> str:
    low, high = result.interval
    rate = result.successes / result.episodes
    about = f"<small>{escape(result.explanation)}</small>" if result.explanation else ""
    best = ' <span class="best">best</span>' if result.best else ""
    steps = "" if result.steps is None else f"{result.steps:g}"
    seconds = "" if result.seconds is None else f"{result.seconds:.2f}"
    return (
        f'<tr><th scope="row">{escape(result.name)}{best}{about}</th>'
        f'<td class="rate"><strong>{100 * rate:.0f} %</strong> '
        f"<small>{result.successes} of {result.episodes}</small></td>"
        f'<td class="range">{100 * low:.0f} to {100 * high:.0f} %</td>'
        f'<td class="bar">{interval_bar(rate, low, high)}</td>'
        f'<td class="number" data-name="median steps">{steps}</td>'
        f'<td class="number" data-name="s a plan">{seconds}</td></tr>'
    )
