"""Real Chromium opens the page: nothing is fetched, nothing complains, every picture is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.experiments.pages.browser import Seen, needs_chromium, open_page
from tests.experiments.pages.report_runs import benchmark, evaluation, page_of, record

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("runs")
    runs = [
        evaluation(folder / "slots", level=26.0, side=48, seed=1),
        evaluation(folder / "a_run_with_a_name_that_is_longer_than_a_phone", side=48, seed=2),
        benchmark(folder / "bench", {"random": 2, "oracle": 50, "runs/slots": 40}),
        record(folder / "going_on", "train", "running"),
    ]
    return page_of(runs, folder / "page.html")


@pytest.mark.parametrize(("width", "dark"), [(390, False), (1400, True)])
def test_the_page_works_offline_on_phones_and_wide_screens(
    page: str, tmp_path: Path, width: int, dark: bool
) -> None:
    seen = open_page(page, tmp_path, width=width, dark=dark)
    assert seen.console == []
    assert seen.fetched == []
    assert (seen.images, seen.decoded) == (6, 6)
    assert seen.overflow == 0, "nothing runs off the right edge"
    assert (brightness(seen.background) < brightness(seen.ink)) == dark


def test_the_check_sees_what_is_wrong(page: str, tmp_path: Path) -> None:
    wrong = "<img src='data:image/gif;base64,AAAA'><div style='width:3000px'>wide</div>"
    bare = page[: page.index("<main>")] + "<main></main></body></html>"
    html = bare.replace("</main>", f"{wrong}<script>x</script></main>")
    seen: Seen = open_page(html, tmp_path, width=390)
    assert (seen.images, seen.decoded) == (1, 0)
    assert seen.overflow > 2000
    assert any("script" in line for line in seen.console), "the page's own policy forbids scripts"


def brightness(color: str) -> int:
    return sum(int(part) for part in color.removeprefix("rgb(").removesuffix(")").split(","))
