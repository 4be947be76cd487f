"""The mutation tool: what it changes and leaves alone, and what becomes of a mutant."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.reliability.mutants import trial
from tests.reliability.mutants.mutations import mutants, mutate

SOURCE = '''
@cached(maxsize=8)
def f(xs: list[int], count=2) -> int:
    """Docstring."""
    if not xs:
        raise ValueError(f"{1 + 1} wanted")
    xs[:count].sort(reverse=True)
    return max(xs) + 0.5
'''


def test_changes_are_small_and_listed_in_order() -> None:
    changes = [(mutant.line, mutant.change) for mutant in mutants(SOURCE)]
    assert changes == [
        (3, "2 -> 3"),
        (3, "2 -> 1"),
        (5, "if not xs: -> if not not xs:"),
        (5, "not xs -> xs"),
        (7, "xs[:count].sort(reverse=True) -> pass"),
        (7, ":count -> :count + 1"),
        (7, "True -> False"),
        (8, "max(xs) + 0.5 -> max(xs) - 0.5"),
        (8, "max -> min"),
        (8, "0.5 -> 1.0"),
    ]
    assert [mutant.called for mutant in mutants(SOURCE)][:3] == [False, False, True]


def test_a_mutant_differs_in_its_change_alone() -> None:
    plain = ast.unparse(ast.parse(SOURCE)).splitlines()
    for mutant in mutants(SOURCE):
        changed = ast.unparse(mutate(SOURCE, mutant.index)).splitlines()
        assert sum(a != b for a, b in zip(plain, changed, strict=True)) == 1


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("answer = 42", ("survived", "")),
        ("answer = 41", ("killed", "test_it.py::test_it")),
        ("import os; os.abort()", ("crashed", "")),
        ("while True: pass", ("timeout", "")),
    ],
)
def test_a_trial_runs_the_module_in_the_others_place(
    tmp_path: Path, source: str, expected: tuple[str, str]
) -> None:
    (tmp_path / "of_the_tree.py").write_text("answer = 42")
    (tmp_path / "test_it.py").write_text(
        "def test_it():\n    import of_the_tree\n    assert of_the_tree.answer == 42\n"
    )
    limit = 1.0 if expected[0] == "timeout" else 60.0
    tests = ["test_it.py::test_it"]
    assert trial.run_mutant(tmp_path, "of_the_tree", ast.parse(source), tests, limit) == expected
    assert (tmp_path / "of_the_tree.py").read_text() == "answer = 42"
