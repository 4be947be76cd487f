"""Results are read as they were written; what is damaged is told with its file and field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.stored import VERSION, Stored, read, write
from armillary.experiments.evaluation.results import OF_VERB, Training, read_results
from armillary.experiments.evaluation.success import Benchmark, Row

ROW = {
    "task": "push_blocks",
    "simulator": "slots",
    "planner": "cem",
    "episodes": 4,
    "successes": 2,
    "success_rate": 0.5,
    "ci95": [0.2, 0.8],
    "steps_to_success": 9,
    "plan_seconds": None,
    "seed": 0,
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "results.json"


def test_what_is_written_is_read_with_its_version(file: Path) -> None:
    row = Row(**{**ROW, "ci95": (0.2, 0.8)})
    write(file, Benchmark(rows=[row], config={"seed": 0}, commit="c", versions={"torch": "2"}))
    told = json.loads(file.read_text())
    assert told["schema_version"] == VERSION
    assert told["rows"] == [ROW]
    found = read(file, Benchmark)
    assert found.rows == [row]
    assert (found.config, found.commit, found.versions) == ({"seed": 0}, "c", {"torch": "2"})


def test_files_of_before_the_version_are_read(file: Path) -> None:
    old = {"rows": [ROW], "config": {}, "commit": "0123456", "versions": {}}
    file.write_text(json.dumps(old))
    assert read(file, Benchmark).rows[0].steps_to_success == 9
    file.write_text('{"steps": 2, "seconds": 1, "metrics": {"x": 1.5, "y": null}}')
    assert read(file, Training).metrics == {"x": 1.5, "y": None}


def test_a_key_that_is_not_known_is_kept(file: Path) -> None:
    file.write_text('{"fvd": {"mean": 1.5}, "values": [1, 2]}')
    found = read_results(file.parent, "something_new")
    assert found.model_extra == {"fvd": {"mean": 1.5}, "values": [1, 2]}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rows": None}, "rows must be a list, got null"),
        ({"rows": [7]}, "rows.0 must be a dictionary, got 7"),
        ({"rows": [{**ROW, "task": 3}]}, "rows.0.task must be a text, got 3"),
        ({"rows": [{**ROW, "episodes": 2.5}]}, "rows.0.episodes must be a whole number, got 2.5"),
        ({"rows": [{**ROW, "seed": -1}]}, "rows.0.seed must be a whole number of at least 0"),
        ({"rows": [{**ROW, "success_rate": True}]}, "rows.0.success_rate must be a number"),
        ({"rows": [{**ROW, "ci95": [1]}]}, "rows.0.ci95 must be an interval [low, high]"),
        ({"rows": [{**ROW, "ci95": [2, 1]}]}, "rows.0.ci95 must be an interval [low, high]"),
        ({"rows": [{**ROW, "successes": 5}]}, "rows.0 must have successes of at least one"),
        ({}, "results.json has no 'rows'; it has commit"),
        ({"rows": [{"task": "a"}]}, "rows.0 has no 'simulator'; it has task"),
        ({"rows": [], "schema_version": 99}, "schema_version is of a later Armillary"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(file: Path, change: dict[str, Any], told: str) -> None:
    file.write_text(json.dumps({"commit": "c", **change}))
    with pytest.raises(UsageError) as error:
        read(file, Benchmark)
    message = str(error.value)
    assert message.startswith(str(file))
    assert told in message
    assert "\n" not in message
    assert len(message) < len(str(file)) + 250


def test_numbers_that_are_not_finite_are_damage(file: Path) -> None:
    file.write_text('{"steps": 1, "seconds": NaN, "metrics": {}}')
    with pytest.raises(UsageError, match="seconds must be a finite number"):
        read(file, Training)


@pytest.mark.parametrize("text", [b"{", b"", b"\xff\xfe", b"nonsense", b'{"a": "\xff"}'])
def test_a_file_that_is_no_json_is_damaged(file: Path, text: bytes) -> None:
    file.write_bytes(text)
    with pytest.raises(UsageError, match=r"results\.json is damaged: it cannot be read as JSON"):
        read(file, Stored)


def test_a_missing_file_is_told_with_its_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"{tmp_path} has no results\.json"):
        read_results(tmp_path, "plan")


@pytest.mark.parametrize("verb", OF_VERB)
def test_every_verbs_results_say_what_made_them(verb: str) -> None:
    assert {"schema_version", "config", "commit", "versions"} <= set(OF_VERB[verb].model_fields)
