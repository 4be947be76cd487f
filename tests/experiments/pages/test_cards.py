"""A page shows what the cards of its checkpoints say, whatever its configuration looks like."""

from __future__ import annotations

from pathlib import Path

import pytest
from markupsafe import escape

from armillary.experiments.evaluation.card import cards_of
from armillary.experiments.pages.success.cards import TITLE
from tests.experiments.pages.report_runs import benchmark, page_of

BUNDLED = "pretrained/push_blocks"


def test_a_page_shows_the_card_of_a_checkpoint(tmp_path: Path) -> None:
    html = page_of([benchmark(tmp_path / "run", {BUNDLED: 40})], tmp_path / "page.html")
    (card,) = cards_of(BUNDLED)
    assert escape(TITLE) in html
    assert f"{card.row.successes} of {card.row.episodes} (" in html
    assert f"at commit {card.commit[:12]}" in html


@pytest.mark.parametrize("simulators", ["5", "{a: 1}", "[[1]]", "no/such/checkpoint"])
def test_a_page_without_checkpoints_shows_none(tmp_path: Path, simulators: str) -> None:
    run = benchmark(tmp_path / "run", {"random": 2})
    (run / "config.yaml").write_text(f"simulators: {simulators}\n")
    assert escape(TITLE) not in page_of([run], tmp_path / "page.html")
