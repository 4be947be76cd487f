"""Shells complete verbs, groups, choices and keys."""

from __future__ import annotations

import pytest

from tests.experiments.conftest import Command


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("armillary tra", {"train"}),
        ("armillary plan planner=", {"planner=cem", "planner=icem", "planner=random_shooting"}),
        ("armillary train experiment=bair_actions/sd", {"experiment=bair_actions/sdvae"}),
        ("armillary train trainer.max_m", {"trainer.max_minutes="}),
        ("armillary train model=sdvae model.latent", {"model.latent_size="}),
    ],
)
def test_a_shell_is_told_what_may_follow(
    armillary: Command, monkeypatch: pytest.MonkeyPatch, line: str, words: set[str]
) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    shown = armillary("--shell-completion", "query=bash")
    assert shown.code == 0
    assert words <= set(shown.out.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_ask(armillary: Command, shell: str) -> None:
    shown = armillary("-sc", f"install={shell}")
    assert shown.code == 0
    assert "-sc query=" in shown.out


def test_another_shell_is_told(armillary: Command) -> None:
    told = armillary("-sc", "install=csh")
    assert told.code == 2
    assert "bash, fish, zsh" in told.err
