"""File names that are no Unicode or hold commas are names as any other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from armillary.experiments.cli import main
from tests.experiments.conftest import Command
from tests.experiments.pages.report_runs import evaluation, page_of

STRANGE = os.fsdecode(b"strange\xff")


def test_a_name_that_is_no_unicode_is_logged_recorded_and_shown(
    armillary: Command, tmp_path: Path
) -> None:
    try:
        (tmp_path / STRANGE).mkdir()
    except OSError:
        pytest.skip("this file system takes Unicode only")
    words = ("episodes=4", "length=4", "workers=0", "image_size=32")
    done = armillary("collect", *words, f"out={STRANGE}/data.h5", f"output={STRANGE}/run")
    assert done.code == 0, done.err
    log = (tmp_path / STRANGE / "run" / "run.log").read_text()
    assert r"out=strange\udcff/data.h5" in log
    run = evaluation(tmp_path / STRANGE / "evaluation")
    page = page_of([tmp_path / STRANGE / "run", run], tmp_path / STRANGE / "page.html")
    assert r"strange\udcff" in page


def test_a_yaml_whose_name_is_no_unicode_is_read(armillary: Command, tmp_path: Path) -> None:
    file = tmp_path / f"{STRANGE}.yaml"
    try:
        file.write_text("defaults: [cem]\nsamples: 41\n")
    except OSError:
        pytest.skip("this file system takes Unicode only")
    done = armillary("plan", f"planner={file.name}", "--cfg", "job")
    assert done.code == 0, done.err
    assert "samples: 41" in done.out


def test_a_comma_in_a_path_is_told_how_to_be_quoted(armillary: Command) -> None:
    done = armillary("collect", "out=a,b.h5")
    assert done.code == 2
    assert """quote the value if it is one, for the shell and for Hydra: 'out="a,b.h5"'""" in (
        done.err.replace("\n", " ")
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_error(closed: str) -> None:
    command = f"{sys.executable} -m armillary.experiments.cli --version {closed}"
    assert subprocess.run(command, shell=True, check=False).returncode == 0


def test_a_section_without_a_class_is_told(armillary: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("samples: 3\n")
    done = armillary("plan", "planner=mine.yaml", "output=run", "episodes=1")
    assert done.code == 2
    assert "_target_ must name the class" in done.err
    assert main(["help"]) == 0
