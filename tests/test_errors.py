"""Messages about mistakes are a few lines, whatever was given."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import pytest

from armillary import ArmillaryError, CheckpointError, DataError, EpisodeFile, PluginError
from armillary.errors import LONGEST, MOST_LINES
from armillary.experiments.command.errors import RunError, UsageError
from armillary.suggestions import MOST, WIDEST, holds, listed, suggest

MANY = [f"group_{i:04d}" for i in range(5000)]


def test_every_mistake_is_an_armillary_error_and_a_value_error() -> None:
    for kind in (DataError, CheckpointError, PluginError, UsageError):
        assert issubclass(kind, ArmillaryError)
    assert issubclass(ArmillaryError, ValueError)
    assert not issubclass(RunError, ArmillaryError)


@pytest.mark.parametrize("text", ["x" * 10**6, "line\n" * 10**5])
def test_a_message_is_a_few_lines(text: str) -> None:
    told = str(ArmillaryError(text))
    assert len(told) < LONGEST + 50
    assert told.count("\n") < MOST_LINES
    assert str(ArmillaryError("short\nas it is")) == "short\nas it is"


def test_errors_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(DataError("a.h5", "it is damaged")))
    assert str(error) == "a.h5: it is damaged"
    assert error.path == Path("a.h5")


def test_few_names_are_listed_in_order_after_the_nearest() -> None:
    assert suggest("xyz", ["beta", "alpha"]) == "choose from alpha, beta"
    assert suggest("alpa", ["beta", "alpha"]) == "did you mean 'alpha'? choose from alpha, beta"
    assert suggest("xyz", []) == "choose from (none)"
    assert holds("xyz", []) == "it holds nothing"
    assert holds("alpa", ["alpha"]) == "it holds alpha; did you mean 'alpha'?"


def test_of_many_names_the_nearest_are_listed_and_the_rest_counted() -> None:
    told = suggest("group_123", MANY)
    assert told.startswith("did you mean 'group_")
    assert told.endswith(f" and {5000 - MOST} more")
    assert "group_0123" in told
    assert len(told) < 2 * WIDEST


@pytest.mark.parametrize("names", [["x" * 10**5], ["a\nb"] * 100, ["x" * 500] * 1000])
def test_long_and_odd_names_are_shown_on_one_line(names: list[str]) -> None:
    told = listed(names)
    assert "\n" not in told
    assert len(told) < 2 * WIDEST
    assert len(suggest("y" * 10**5, names)) < 2 * WIDEST


def test_a_file_of_5000_groups_is_told_in_a_line(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "many.h5", "w") as file:
        for name in MANY:
            file.create_group(name)
    with pytest.raises(DataError, match=r"no group train, val, test.* and \d+ more") as told:
        EpisodeFile(tmp_path / "many.h5")
    assert len(str(told.value)) - len(str(tmp_path)) < 1000
    assert "\n" not in str(told.value)
