"""A short campaign over all readers, and what the harness makes of readers that misbehave."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest

from armillary.experiments.evaluation.results import OF_VERB
from tests.reliability.fuzz import campaign, outcome
from tests.reliability.fuzz.__main__ import chunks_of, planned
from tests.reliability.fuzz.campaign import Chunk
from tests.reliability.fuzz.outcome import emptied, put
from tests.reliability.fuzz.reader import Files, Reader, case
from tests.reliability.fuzz.readers import READERS
from tests.reliability.fuzz.record import Record

CASES = 1000


@pytest.mark.parametrize("name", READERS)
def test_whole_files_are_read_and_cases_can_be_repeated(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    whole = reader.make()
    for files in whole:
        put(emptied(tmp_path / "whole"), files, {})
        reader.read(tmp_path / "whole")
    for index in range(3):
        first, second = within_a_second(partial(case, reader, whole, 0, index))
        assert first == second


def within_a_second(make: Callable[[], Files]) -> tuple[Files, Files]:
    """Makes the same case twice within a second: HDF5 writes into some headers when it was."""
    while True:
        second = int(time.time())
        pair = make(), make()
        if int(time.time()) == second:
            return pair


def test_results_of_every_verb_are_damaged() -> None:
    runs = [json.loads(files["run.json"]) for files in READERS["results-json"].make()]
    assert {run["verb"] for run in runs} == {*OF_VERB, "collect"}


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    readers = list(READERS.values())
    record = Record({})
    for chunk, result in campaign.run(
        chunks_of(readers, planned(readers, CASES)), seed=1, workers=2, scratch=tmp_path
    ):
        record.add(chunk, result)
    assert sum(kept["cases"] for kept in record.readers.values()) >= CASES
    assert not record.findings, {
        name: kept["findings"] for name, kept in record.readers.items() if kept["findings"]
    }


def _index(random: Random, files: Files) -> Files:
    return {"index": str(random.random()).encode()}


def _misbehaves(folder: Path) -> None:
    """Every case is another one's fault; the first file, the whole one, is read."""
    number = (folder / "index").read_bytes()
    faults = {b"crash": os.abort, b"hang": _forever, b"memory": lambda: bytearray(1 << 40)}
    faults.get(number, lambda: None)()
    if number == b"exception":
        raise KeyError(number)


def _forever() -> None:
    while True:
        pass


def test_crashes_hangs_and_exceptions_are_found_and_the_next_case_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome, "SECONDS", 0.2)
    kinds = (b"", b"crash", b"exception", b"hang", b"memory", b"")
    reader = Reader("bad", lambda: [{"index": b""}], _index, _misbehaves)
    monkeypatch.setattr(campaign, "case", lambda *of: {"index": kinds[of[-1]]})
    ((_, result),) = campaign.run([Chunk(reader, 0, len(kinds))], 0, 1, tmp_path)
    found = {index: finding.kind for index, finding in result.findings}
    assert found == {1: "crash", 2: "exception", 3: "hang", 4: "memory"}
    assert result.accepted == 2


def test_a_process_that_does_not_come_back_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign, "_STUCK", 0.3)
    monkeypatch.setattr(campaign, "case", lambda *of: {"index": b"0" if of[-1] else b"1"})

    def read(folder: Path) -> None:
        if (folder / "index").read_bytes() == b"1":
            time.sleep(60)

    reader = Reader("asleep", lambda: [{"index": b""}], _index, read)
    ((_, result),) = campaign.run([Chunk(reader, 0, 3)], 0, 1, tmp_path)
    assert [(index, finding.kind) for index, finding in result.findings] == [(0, "hang")]
    assert result.accepted == 2


def test_a_campaign_goes_on_with_its_record(tmp_path: Path) -> None:
    reader = Reader("good", lambda: [{"index": b""}], _index, lambda folder: None)
    first, second = Chunk(reader, 0, 2), Chunk(reader, 2, 5)
    record = Record({"seed": 0})
    for chunk, result in campaign.run([first], 0, 1, tmp_path):
        record.add(chunk, result)
    record.write(tmp_path / "record.json")
    again = Record.at(tmp_path / "record.json", {"seed": 0})
    assert again.done == [first.name]
    for chunk, result in campaign.run([second], 0, 1, tmp_path):
        again.add(chunk, result)
    assert again.readers["good"]["accepted"] == 5
    with pytest.raises(SystemExit, match="another campaign"):
        Record.at(tmp_path / "record.json", {"seed": 1})
