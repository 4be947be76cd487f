"""Run directories: a record of every run, and no run in the place of another."""

from __future__ import annotations

import errno
import json
import logging
import os
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from armillary.experiments.command.errors import RunError, UsageError
from armillary.experiments.running import provenance, run_directory
from armillary.experiments.running.run_directory import recorded


def config(output: Path, **more: object) -> DictConfig:
    return OmegaConf.create({"output": str(output), "seed": 3, "size": {"width": 2}, **more})


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_record_names_command_seed_versions_and_end(tmp_path: Path) -> None:
    output = tmp_path / "a" / "b"
    with recorded("train", config(output), ["data.path=my file.h5", "seed=3"]) as directory:
        assert directory == output
        during = json.loads((output / "run.json").read_text())
        logging.getLogger("armillary.world_models").info("half way")
    record = json.loads((output / "run.json").read_text())
    assert (during["status"], record["status"]) == ("running", "finished")
    assert record["command"] == "armillary train 'data.path=my file.h5' seed=3"
    assert record["seed"] == 3
    assert record["started"] <= record["ended"]
    assert {"armillary", "python", "torch", "gymnasium", "numpy"} <= set(record["versions"])
    assert OmegaConf.load(output / "config.yaml").size.width == 2
    assert "half way" in (output / "run.log").read_text()
    logging.getLogger("armillary.world_models").info("afterwards")
    assert "afterwards" not in (output / "run.log").read_text()


def test_same_run_again_is_welcome(tmp_path: Path) -> None:
    for _ in range(2):
        with recorded("plan", config(tmp_path / "run"), []):
            pass


def test_a_run_from_before_an_option_goes_on_where_it_is_off(tmp_path: Path) -> None:
    with recorded("plan", config(tmp_path), []):
        pass
    with recorded("plan", config(tmp_path, deterministic=False), []):
        pass
    with (
        pytest.raises(UsageError, match="deterministic is False there and True here"),
        recorded("plan", config(tmp_path, deterministic=True), []),
    ):
        pass


def test_a_deterministic_run_says_so_and_has_such_kernels(tmp_path: Path) -> None:
    for wanted in (False, True):
        output = tmp_path / str(wanted)
        with recorded("plan", config(output, deterministic=wanted), []):
            assert torch.are_deterministic_algorithms_enabled() is wanted
        assert json.loads((output / "run.json").read_text())["deterministic"] is wanted


@pytest.mark.parametrize(
    ("verb", "more", "message"),
    [
        ("benchmark", {}, "holds a run of 'plan'"),
        ("plan", {"seed": 4}, "seed is 3 there and 4 here"),
        ("plan", {"size": {"width": 9}}, "size.width is 2 there and 9 here"),
        ("plan", {"more": 1}, "more is None there and 1 here"),
    ],
)
def test_directory_of_another_run_is_refused_and_left_alone(
    tmp_path: Path, verb: str, more: dict[str, object], message: str
) -> None:
    with recorded("plan", config(tmp_path / "run"), []):
        pass
    before = snapshot(tmp_path)
    with (
        pytest.raises(UsageError, match=message),
        recorded(verb, config(tmp_path / "run", **more), []),
    ):
        pytest.fail("work was begun")
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("content", ["thesis.tex", "run.json"])
def test_directory_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / content).write_text("[]")
    with (
        pytest.raises(UsageError, match="choose a new or empty directory"),
        recorded("plan", config(tmp_path), []),
    ):
        pytest.fail("work was begun")
    assert [path.name for path in tmp_path.iterdir()] == [content]


def test_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with (
        pytest.raises(UsageError, match="is a file"),
        recorded("plan", config(tmp_path / "run"), []),
    ):
        pytest.fail("work was begun")


def test_a_verb_that_resumes_may_be_given_other_settings(tmp_path: Path) -> None:
    for steps in (10, 20):
        with recorded("train", config(tmp_path / "run", resume="auto", max_steps=steps), []):
            pass
    assert OmegaConf.load(tmp_path / "run" / "config.yaml").max_steps == 20


def test_a_verb_that_writes_a_file_is_recorded_beside_it(tmp_path: Path) -> None:
    file, record = tmp_path / "page.html", tmp_path / "page.html-run"
    for seed in (1, 2):
        settings = config(file, record=str(record), title=seed)
        with recorded("report", settings, []) as directory:
            file.write_text("page")
        assert directory == record
    assert OmegaConf.load(record / "config.yaml").title == 2
    with (
        pytest.raises(UsageError, match="holds a run of 'report'"),
        recorded("generate", config(file, record=str(record)), []),
    ):
        pytest.fail("work was begun")


def test_mistake_before_any_work_leaves_no_trace(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such"), recorded("plan", config(tmp_path / "a/b"), []):
        raise UsageError("no such checkpoint")
    assert not any(tmp_path.iterdir())


def test_empty_folders_of_a_mistake_are_nothing_of_worth(tmp_path: Path) -> None:
    with pytest.raises(UsageError), recorded("plan", config(tmp_path / "a/b"), []) as directory:
        (directory / "checkpoints" / "new").mkdir(parents=True)
        raise UsageError("no such checkpoint")
    assert not any(tmp_path.iterdir())


def test_a_directory_that_was_there_stays_after_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError), recorded("plan", config(tmp_path), []):
        raise UsageError("no such checkpoint")
    assert tmp_path.is_dir()
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("defect", [ValueError, TypeError, KeyError, IndexError, OSError])
def test_a_defect_keeps_the_directory_and_its_traceback(
    tmp_path: Path, defect: type[Exception]
) -> None:
    with pytest.raises(defect), recorded("plan", config(tmp_path / "run"), []):
        raise defect("three")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"
    log = (tmp_path / "run" / "run.log").read_text()
    assert "Traceback" in log
    assert defect.__name__ in log


def test_mistake_in_a_run_that_resumes_puts_the_record_back(tmp_path: Path) -> None:
    with recorded("train", config(tmp_path / "run", resume="auto"), ["seed=3"]):
        (tmp_path / "run" / "checkpoint").write_text("precious")
    before = snapshot(tmp_path)
    with (
        pytest.raises(ValueError, match="another seed"),
        recorded("train", config(tmp_path / "run", resume="auto", seed=4), ["seed=4"]),
    ):
        raise UsageError("another seed")
    assert snapshot(tmp_path) == before


def test_mistake_after_work_keeps_the_work_and_its_record(tmp_path: Path) -> None:
    def work(directory: Path) -> None:
        (directory / "result").write_text("half")
        raise UsageError("too late")

    with pytest.raises(ValueError, match="late"), recorded("plan", config(tmp_path), []) as path:
        work(path)
    assert (tmp_path / "result").read_text() == "half"
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "refused"


def test_commit_is_of_this_checkout_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "experiments"
    monkeypatch.setattr(provenance.armillary, "__file__", str(package / "__init__.py"))
    assert provenance.commit() == provenance.package_version()


def kill(directory: Path, *left: str) -> None:
    """Leaves a directory as a run that was killed at once does."""
    with (
        pytest.raises(KeyboardInterrupt),
        recorded("plan", config(directory), []),
    ):
        raise KeyboardInterrupt
    record = json.loads((directory / "run.json").read_text())
    (directory / "run.json").write_text(json.dumps({**record, "status": "running"}))
    for name in {"config.yaml", "run.json", "run.log"} - {*left}:
        (directory / name).unlink()


@pytest.mark.parametrize("left", [["run.json"], ["run.json", "config.yaml", "run.log"]])
def test_a_run_that_was_killed_before_any_work_keeps_nobody_out(
    tmp_path: Path, left: list[str]
) -> None:
    kill(tmp_path / "run", *left)
    (tmp_path / "run" / ".lock").write_text("{")
    with recorded("benchmark", config(tmp_path / "run", seed=4), []):
        (tmp_path / "run" / "result").touch()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "finished"
    assert not (tmp_path / "run" / ".lock").exists()


def test_a_killed_run_with_work_and_somebody_elses_configuration_are_kept(tmp_path: Path) -> None:
    kill(tmp_path / "run", "run.json", "config.yaml")
    (tmp_path / "run" / "result").write_text("half")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "config.yaml").write_text("of another program")
    before = snapshot(tmp_path)
    for name in ("run", "theirs"):
        with (
            pytest.raises(UsageError, match="holds"),
            recorded("benchmark", config(tmp_path / name), []),
        ):
            pytest.fail("work was begun")
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(("number", "status"), [(errno.ENOSPC, "failed"), (errno.EACCES, None)])
def test_what_the_system_refuses_is_a_failure_or_a_mistake(
    tmp_path: Path, number: int, status: str | None
) -> None:
    with pytest.raises((RunError, UsageError)), recorded("plan", config(tmp_path / "run"), []):
        raise OSError(number, os.strerror(number), str(tmp_path / "data.h5"))
    if status is None:
        assert not any(tmp_path.iterdir())
    else:
        assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == status


def test_what_ended_a_run_is_told_where_its_record_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with (
        pytest.raises(RunError, match="of the work"),
        recorded("plan", config(tmp_path / "run"), []),
    ):
        monkeypatch.setattr(run_directory, "write_json", full)
        raise OSError(errno.ENOSPC, "No space left on device", "of the work")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "running"
