"""The demo runs every phase once, shows it on one page, and goes on where it was stopped."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest
from omegaconf import DictConfig

from armillary.experiments.command.config import compose
from armillary.experiments.command.errors import RunError
from armillary.experiments.verbs.demo import jobs_of
from armillary.experiments.verbs.train import trainer_settings
from tests.experiments.conftest import Command
from tests.experiments.pages.reader import Reader

TOY = ("size=smoke", "collect.episodes=3", "benchmark.episodes=1", "benchmark.simulators=[random]")
PHASES = {"data": "collect", "train": "train", "benchmark": "benchmark", "render": "render"}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The phases that really ran, in order."""
    told: list[str] = []
    for verb in PHASES.values():
        module = importlib.import_module(f"armillary.experiments.verbs.{verb}")

        def watched(config, verb=verb, run=module.run):
            told.append(verb)
            return run(config)

        monkeypatch.setattr(module, "run", watched)
    return told


def test_everything_runs_once_and_a_page_shows_it(armillary: Command, calls: list[str]) -> None:
    done = armillary("demo", *TOY, "output=my demo", "seed=3")
    assert done.code == 0, done.err
    assert calls == list(PHASES.values())
    output = Path("my demo")
    assert [line.split()[0] for line in done.out.splitlines()[-5:]] == ["page", *PHASES.values()]
    assert str(output / "index.html") in done.out.splitlines()[-5]
    for folder, verb in PHASES.items():
        record = json.loads((output / folder / "run.json").read_text())
        assert (record["verb"], record["status"], record["seed"]) == (verb, "finished", 3)
        assert done.err.count(f" {verb}: took ") == 1
        assert done.err.count(record["command"]) == 1, "nested runs speak once"
    page = Reader((output / "index.html").read_text(encoding="utf-8"))
    text = " ".join(page.text)
    rows = json.loads((output / "benchmark" / "results.json").read_text())["rows"]
    assert [row["simulator"] for row in rows] == ["random", "my demo/train"]
    for row in rows:
        assert f"{row['successes']} of {row['episodes']}" in text
    assert "trained model" in text
    (told,) = [x for x in done.err.splitlines() if x.startswith("warning: Training was cut short")][
        1:
    ]
    assert "stage 1 (discovery) did 9 of 2200 steps" in told
    assert "Training was cut short by train.trainer.max_steps=20: " in text
    assert "armillary demo size=smoke" in text
    images = [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    assert len(images) == 3
    assert len([t for t, n, v in page.attributes if (t, n, v) == ("svg", "class", "chart")]) == 2

    lock = output / PHASES["train"] / ".lock"
    lock.touch()  # as a process that was killed at the end of a phase leaves it
    again = armillary("demo", *TOY, "output=my demo", "seed=3")
    assert again.code == 0, again.err
    assert not lock.exists()
    assert len(calls) == 4, "finished phases are not run again"
    assert again.err.count(": had taken ") == 4

    other = armillary("demo", *TOY, "output=my demo", "seed=4")
    assert other.code == 2
    assert "holds another run" in other.err


def test_a_demo_that_was_stopped_goes_on(
    armillary: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    fails = {"benchmark"}

    def phase(verb: str):
        def run(config) -> None:
            ran.append(verb)
            if verb in fails:
                raise RunError("the power went out")
            if verb == "train":
                found = {"steps": 1, "seconds": 1.0, "metrics": {}}
                Path(config.output, "results.json").write_text(json.dumps(found))

        return run

    for verb in PHASES.values():
        monkeypatch.setattr(
            importlib.import_module(f"armillary.experiments.verbs.{verb}"), "run", phase(verb)
        )
    monkeypatch.setattr("armillary.experiments.verbs.demo.demo_page", lambda *_: None)
    monkeypatch.setattr("armillary.experiments.verbs.demo.render_page", lambda _: "<html>")
    first = armillary("demo", *TOY, "output=out")
    assert first.code == 1
    assert "the power went out" in first.err
    assert not Path("out/index.html").exists()
    fails.clear()
    assert armillary("demo", *TOY, "output=out").code == 0
    assert ran == ["collect", "train", "benchmark", "benchmark", "render"]


def test_a_mistake_in_a_late_phase_is_told_before_the_first_one_runs(
    armillary: Command, calls: list[str]
) -> None:
    done = armillary("demo", *TOY, "render.samples=many", "output=out")
    assert done.code == 2
    assert "samples must be a whole number" in done.err
    assert calls == []
    assert not Path("out").exists()


def test_phases_take_their_options_and_each_others_results() -> None:
    config = compose("demo", ["output=o", "seed=5", "collect.episodes=7", "benchmark.episodes=9"])
    collect, train, benchmark, render = (job.config for job in jobs_of(config))
    assert (collect.episodes, benchmark.episodes) == (7, 9)
    assert collect.out == train.data.path == render.data.path == "o/data/episodes.h5"
    assert benchmark.simulators[-1] == train.output == render.checkpoint == "o/train"
    assert {collect.seed, train.seed, benchmark.seed, render.seed} == {5}
    assert len({c.output for c in (collect, train, benchmark, render)}) == 4
    assert train.trainer.max_minutes <= 11, "beside other work the demo takes 20 minutes at most"


def test_training_is_bounded_by_work_and_every_stage_has_its_share_of_the_time() -> None:
    train = jobs_of(compose("demo", ["output=o"]))[1].config
    schedule = trainer_settings(train).schedule
    times = [(step, step * 0.03) for step in range(20_000)]
    done = next(step for step, seconds in times if schedule.progress(step, seconds) == 1)
    assert done == sum(stage.steps for stage in schedule.stages) == 12_700
    slow = [schedule.stage_at(schedule.progress(step, 4.0 * step)) for step in range(165)]
    assert [slow.count(index) / 165 for index in range(4)] == pytest.approx(
        [0.42, 0.18, 0.22, 0.18], abs=0.01
    )


def test_smoke_is_smaller_in_every_phase() -> None:
    full, smoke = (
        [job.config for job in jobs_of(compose("demo", ["output=o", *words]))]
        for words in ([], ["size=smoke"])
    )
    assert smoke[0].episodes < full[0].episodes / 20
    assert full[1].trainer.max_steps is None
    assert smoke[1].trainer.max_steps <= 20
    assert smoke[2].episodes < full[2].episodes
    assert smoke[3].planner.samples < full[3].planner.samples


@pytest.mark.parametrize("path", ["a b", "a,b", "it's", "a=b", "x[1]", "100%", "null", "a\\b"])
def test_any_directory_reaches_the_phases_unchanged(path: str) -> None:
    config = compose("demo", [])
    config.output = path
    for job in jobs_of(config):
        assert Path(job.config.output).parent == Path(path)


def test_durations_are_for_people() -> None:
    from armillary.experiments.command.console import duration

    assert [duration(s) for s in (0.2, 59.4, 59.6, 303)] == [
        "0 s",
        "59 s",
        "1 min 0 s",
        "5 min 3 s",
    ]
    assert re.fullmatch(r"\d+ min \d+ s", duration(1e4))


def test_every_phase_is_of_the_task_that_was_asked_for() -> None:
    said = ["task=stack_blocks", "task.environment.num_blocks=2", "+task.environment.gravity=5.0"]
    collect, train, benchmark, render = jobs_of(compose("demo", [*said, "~task.action_meaning"]))
    for job in (collect, benchmark, render):
        environment = job.config.task.environment
        assert (environment.num_blocks, environment.gravity) == (2, 5.0)
        assert job.config.task.max_steps == 4, "what follows from it follows here, too"
        assert "action_meaning" not in job.config.task
    assert not [word for word in train.words if "task" in word]
    plain = jobs_of(compose("demo", ["task=stack_blocks"]))[0]
    assert [word for word in plain.words if "task" in word] == ["task=stack_blocks"]


def test_a_demo_of_a_task_of_ones_own(
    armillary: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "own" / "task").mkdir(parents=True)
    # a YAML that is called otherwise than the task that it is made of
    few = "defaults:\n  - push_blocks\n\nenvironment:\n  num_blocks: 1\n"
    (tmp_path / "own" / "task" / "few.yaml").write_text(few)
    seen = []

    def stopped(config: DictConfig) -> None:
        seen.append(config)
        raise RunError("seen enough")

    monkeypatch.setattr("armillary.experiments.verbs.collect.run", stopped)
    done = armillary("demo", "--config-dir", str(tmp_path / "own"), *TOY, "task=few")
    assert done.code == 1, done.err
    (config,) = seen
    assert (config.choices.task, config.task.environment.num_blocks) == ("few", 1)
