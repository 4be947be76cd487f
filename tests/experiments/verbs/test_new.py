"""The verb ``new``: a skeleton under any good name, and nothing in the place of something else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from armillary.experiments.verbs import new
from tests.experiments.conftest import Command

ROOT = Path(new.__file__).parents[3]
EXAMPLE = ROOT / "examples" / "plugin"


def test_the_example_is_the_template() -> None:
    assert (new.TEMPLATES / "plugin").resolve() == EXAMPLE.resolve()


def test_the_skeleton_is_the_example_under_another_name(armillary: Command, tmp_path: Path) -> None:
    assert armillary("new", "plugin", "my_pack").code == 0
    written = [path for path in (tmp_path / "my_pack").rglob("*") if path.is_file()]
    assert {"pyproject.toml", "README.md", "test_contracts.py"} <= {p.name for p in written}
    for path in written:
        assert new.EXAMPLE not in path.read_text(encoding="utf-8")
        assert new.EXAMPLE not in str(path.relative_to(tmp_path))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert armillary("new", "plugin", "my_pack").code == 0, "it is there already, as asked for"
    (tmp_path / "my_pack" / "README.md").write_text("mine")
    assert armillary("new", "plugin", "my_pack").code == 2
    assert (tmp_path / "my_pack" / "README.md").read_text() == "mine"


def test_the_tests_of_a_skeleton_pass_as_written(armillary: Command, tmp_path: Path) -> None:
    assert armillary("new", "plugin", "my_pack", "output=there").code == 0
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "there",
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stdout[-3000:]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["plugni", "a"], "unknown template 'plugni'; did you mean 'plugin'"),
        (["plugin", "My-Pack"], "small letters, digits and _"),
        (["plugin", "class"], "no word of Python"),
        (["plugin", "x" * 99], "at most 60"),
        (["plugin", "json"], "there is a module 'json' already"),
        (["plugin", "torch"], "there is a module 'torch' already"),
        (["plugin", "armillary"], "there is a module 'armillary' already"),
        (["plugin"], "name is required"),
        (["plugin", "output=there"], "name is required"),
        (["plugin", "my_pack", "output=taken"], "taken is there already"),
    ],
)
def test_a_mistake_writes_nothing(
    armillary: Command, tmp_path: Path, words: list[str], told: str
) -> None:
    (tmp_path / "taken").mkdir()
    result = armillary("new", *words)
    assert result.code == 2
    assert told in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
