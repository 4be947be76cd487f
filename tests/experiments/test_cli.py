"""The command line explains itself and answers every mistake with one line that helps."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from armillary import ArmillaryError, DataError
from armillary.errors import MOST_LINES
from armillary.experiments import cli
from armillary.experiments.command.config import verbs
from armillary.experiments.command.errors import RunError
from armillary.experiments.verbs import collect
from tests.experiments.conftest import Command


def test_overview_lists_every_verb_with_its_line(armillary: Command) -> None:
    for words in ([], ["--help"], ["-h"]):
        shown = armillary(*words)
        assert shown.code == 0
        for verb in verbs():
            (line,) = [x for x in shown.out.splitlines() if x.startswith(f"  {verb} ")]
            assert len(line.split(verb, 1)[1].strip()) > 15
    assert {"collect", "train"} <= set(verbs())


@pytest.mark.parametrize("verb", verbs())
def test_help_explains_every_option(armillary: Command, verb: str) -> None:
    shown = armillary(verb, "--help")
    assert shown.code == 0
    options = shown.out.split("options:\n")[1].split("\n\n")[0].splitlines()
    assert any("output=" in line for line in options)
    named = [line for line in options if line[:2] == "  " and line[2] != " "]
    unexplained = [line for line in named if len(line.split(maxsplit=1)) < 2]
    assert not unexplained


def test_help_shows_defaults_and_choices(armillary: Command) -> None:
    shown = armillary("train", "--help").out
    assert "trainer.checkpoint_every=500" in shown
    assert "data.path=???" in shown
    assert "slot_dynamics,slot_dynamics_64,slot_dynamics_joint," in shown


def test_cfg_job_prints_what_would_run(armillary: Command, tmp_path: Path) -> None:
    shown = armillary("collect", "--cfg", "job", "seed=7", "policy=random", "output=here")
    assert shown.code == 0
    assert "seed: 7" in shown.out
    assert "policy: random" in shown.out
    assert "out: here/episodes.h5" in shown.out
    assert not any(tmp_path.iterdir())


def test_version(armillary: Command) -> None:
    assert armillary("--version").out.split()[0] == "armillary"


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["colect"], ["unknown verb 'colect'", "did you mean 'collect'"]),
        (["train", "trainer.max_step=3"], ["trainer.max_step", "did you mean 'trainer.max_steps'"]),
        (["train", "dat.path=x"], ["'dat.path'", "data"]),
        (["train", "sed=1"], ["'sed'", "did you mean 'seed'"]),
        (["train", "experiment=push_block/slot_dynamics"], ["mean 'push_blocks/slot_dynamics'"]),
        (["train", "model=slotdynamics"], ["unknown model", "did you mean 'slot_dynamics'"]),
        (["train", "task=push_blocks"], ["train has no option 'task'", "model"]),
        (["train", "data.path=x", "trainer.max_steps=abc"], ["max_steps must be a whole number"]),
        (["train", "data.path=x", "trainer.max_steps=1.5"], ["max_steps must be a whole number"]),
        (["train", "data.path=x", "trainer.max_minutes=abc"], ["max_minutes", "abc"]),
        (
            ["train", "data.path=x", "trainer.stages.discovery.warmpu=0"],
            ["stages.discovery.warmup'"],
        ),
        (["train"], ["data.path is required"]),
        (["train", "data.path=missing.h5"], ["missing.h5", "no such file"]),
        (["collect", "task=pushblocks"], ["unknown task", "did you mean 'push_blocks'"]),
        (["collect", "policy=randm"], ["unknown policy", "did you mean 'random'"]),
        (["collect", "episodes=2"], ["episodes=2", "at least 3"]),
        (["collect", "seed=-1"], ["seed must be at least 0"]),
        (["collect", "image_size=48"], ["image_size must be one of (32, 64, 96, 128)", "48"]),
        (["collect", "task.environment.num_block=2"], ["num_block"]),
        (["collect", "task.environment.id=armillary/Push-v0"], ["armillary/Push"]),
        (["collect", "seed=1,2"], ["several values"]),
        (["collect", "episodes=null"], ["episodes must be a whole number", "got null"]),
        (["collect", "choices.task=x"], ["no option 'choices.task'"]),
        (["collect", "episodes"], ["'episodes' is no key=value"]),
        (["collect", "+episodes=1"], ["+episodes", "it is there already"]),
        (["collect", "~episods"], ["did you mean 'episodes'"]),
        (["plan", "planner=cemm"], ["unknown planner 'cemm'", "did you mean 'cem'", "icem"]),
        (["plan", "planner.sample=3"], ["did you mean 'planner.samples'"]),
        (["plan", "planner.samples=many"], ["planner.samples must be a whole number"]),
        (["plan", "task=push_block"], ["unknown task", "did you mean 'push_blocks'"]),
        (["plan", "checkpoint=runs/typo"], ["'runs/typo' is no directory", "oracle"]),
        (["plan", "checkpoint=oracle", "planner.elites=999"], ["elites", "999"]),
        (["plan", "checkpoint=oracle", "horizon=2", "replan_interval=3"], ["horizon=2"]),
        (["plan", "checkpoint=oracle", "episodes=0"], ["episodes", "at least 1"]),
        (["plan", "checkpoint=oracle", "objective.time=lst"], ["did you mean 'last'"]),
        (["benchmark", "simulators=[]"], ["at least one"]),
        (["benchmark", "simulators=[noop,noop]"], ["each one once"]),
        (["benchmark", "simulators=noop"], ["simulators must be a list"]),
        (["benchmark", "simulators=[randm]"], ["'randm'", "did you mean 'random'"]),
        (["collect", "--dry-run"], ["unknown flag '--dry-run'"]),
        (["collect", "--cfg"], ["--cfg job"]),
    ],
    ids=lambda value: " ".join(value)[:50],
)
def test_mistakes_are_told_in_one_line(
    armillary: Command, tmp_path: Path, words: list[str], parts: list[str]
) -> None:
    told = armillary(*words)
    assert told.code == 2
    (line,) = [x for x in told.err.splitlines() if "error: " in x]
    assert line.startswith("armillary")
    for part in parts:
        assert part in line
    assert "Traceback" not in told.err
    assert not any(tmp_path.rglob("run.json")), "a refused command leaves nothing behind"


def test_traceback_on_demand(armillary: Command) -> None:
    with pytest.raises(ValueError, match="no such file"):
        armillary("train", "data.path=missing.h5", "--traceback")


@pytest.mark.parametrize("kind", [KeyError, ValueError, TypeError, IndexError, AssertionError])
def test_defect_keeps_its_traceback_and_its_record(
    armillary: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    def fail(config: object) -> None:
        raise kind("a defect")

    monkeypatch.setattr(collect, "run", fail)
    with pytest.raises(kind, match="a defect"):
        armillary("collect", "output=run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"
    log = (tmp_path / "run" / "run.log").read_text()
    assert "Traceback" in log
    assert kind.__name__ in log


@pytest.mark.parametrize(
    ("error", "code", "left"),
    [
        (ArmillaryError("x" * 10**5), cli.MISTAKE, []),
        (DataError("a.h5", "x\n" * 10**4), cli.MISTAKE, []),
        (RunError("x" * 10**5), cli.FAILURE, ["run"]),
    ],
)
def test_what_ends_a_run_is_told_in_a_few_lines(
    armillary: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: int,
    left: list[str],
) -> None:
    def fail(config: object) -> None:
        raise error

    monkeypatch.setattr(collect, "run", fail)
    told = armillary("collect", "output=run")
    assert told.code == code
    assert len(told.err) < 2000
    assert told.err.count("\n") <= MOST_LINES + 1  # the command stands above
    assert [path.name for path in tmp_path.iterdir()] == left


def test_a_defect_ends_the_process_with_1(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom armillary.experiments import cli\n"
        "from armillary.experiments.verbs import collect\n"
        "collect.run = lambda config: int('a defect')\n"
        "sys.exit(cli.main(['collect', 'output=run']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(cli.__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == cli.FAILURE == 1
    assert "Traceback" in done.stderr
    assert "ValueError: invalid literal" in done.stderr
    assert (tmp_path / "run" / "run.log").is_file()


def test_interruption_exits_130(
    armillary: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(config: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(collect, "run", interrupt)
    assert armillary("collect", "output=run").code == 130
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize(
    ("name", "code", "word"), [("SIGTERM", 143, "terminated"), ("SIGHUP", 129, "hung up")]
)
def test_signals_end_a_run_as_an_interruption(
    armillary: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    code: int,
    word: str,
) -> None:
    def end(config: object) -> None:
        os.kill(os.getpid(), signal.Signals[name])
        time.sleep(10)

    monkeypatch.setattr(collect, "run", end)
    done = armillary("collect", "output=run")
    assert done.code == code
    assert done.err.strip().splitlines()[-1] == f"armillary collect: {word}"
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"
    assert signal.getsignal(signal.Signals[name]) == signal.SIG_DFL


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
@pytest.mark.parametrize("after", [0.0, 0.7])
def test_signals_while_libraries_are_loaded_leave_one_line(
    tmp_path: Path, name: str, code: int, after: float
) -> None:
    words = ["collect", "episodes=3000", "workers=0", "output=out"]
    started = (
        "import sys; sys.argv[0] = 'armillary'\n"
        "import armillary.experiments.running.signals as signals\n"
        "signals.end_at_once('armillary'); print('ready', flush=True)\n"
        f"from armillary.experiments.cli import main; sys.exit(main({words}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", started],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(after)
        process.send_signal(signal.Signals[name])
        _, told = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in told
    assert not any(path.suffix == ".partial" for path in tmp_path.rglob("*"))


def test_a_path_that_cannot_be_used_is_told_in_one_line(armillary: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for words in (
        ["output=file/run"],
        ["output=" + "n" * 300],
        ["output=run", "out=file/d.h5"],
        ["output=run", "out=" + "n" * 300 + ".h5"],
        ["output=run", "out=/dev/null", "overwrite=true"],
    ):
        told = armillary("collect", "episodes=3", "length=3", "workers=0", *words)
        assert told.code == 2, words
        assert "error: " in told.err
        assert "Traceback" not in told.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert armillary("collect", "episodes=3", "length=3", "workers=0", "output=run").code == 0


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, 1), (errno.EACCES, 2)])
def test_what_the_system_refuses_is_told_in_one_line(
    armillary: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    def refuse(config: object) -> None:
        raise OSError(number, os.strerror(number), "somewhere.h5")

    with monkeypatch.context() as patch:
        patch.setattr(collect, "run", refuse)
        told = armillary("collect", "episodes=3", "length=3", "workers=0", "output=run")
    assert told.code == code
    assert f"error: {os.strerror(number)}: somewhere.h5; " in told.err
    assert "Traceback" not in told.err
    assert armillary("collect", "episodes=3", "length=3", "workers=0", "output=run").code == 0


def test_an_input_is_never_replaced(armillary: Command, tmp_path: Path) -> None:
    words = ["generate", "checkpoint=ground_truth", "context=1", "horizon=1", "overwrite=true"]
    assert armillary("collect", "episodes=3", "length=3", "workers=0", "out=d.h5").code == 0
    before = (tmp_path / "d.h5").read_bytes()
    (tmp_path / "link.h5").symlink_to("d.h5")
    os.link(tmp_path / "d.h5", tmp_path / "same.h5")
    for output in ("d.h5", "./d.h5", "link.h5", "same.h5"):
        told = armillary(*words, "data.path=d.h5", f"output={output}")
        assert told.code == 2
        assert f"output={Path(output)} is the file that data.path=d.h5 reads" in told.err
    assert (tmp_path / "d.h5").read_bytes() == before


@pytest.mark.parametrize("name", ["my episodes (1).h5", "a=b,c.h5", "it's.h5", "[x].h5", "ä:b.h5"])
def test_paths_need_no_second_quoting(armillary: Command, name: str) -> None:
    told = armillary("train", f"data.path={name}")
    assert f"error: {name}: there is no such file" in told.err


def test_command_in_its_own_process_makes_nothing_but_its_output(tmp_path: Path) -> None:
    words = ["collect", "episodes=3", "length=3", "workers=0", "output=out"]
    command = [sys.executable, "-m", "armillary", *words]
    root = str(Path(cli.__file__).parents[2])
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": root}, capture_output=True, text=True, check=True
    )
    assert "train" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"config.yaml", "run.json", "run.log", "episodes.h5"}


def test_a_reader_who_has_seen_enough_is_no_defect() -> None:
    """``armillary evaluate --help | head -1``, with a reader that closes before it is written."""
    command = [
        sys.executable,
        "-c",
        "from armillary.experiments.cli import main; main(['train', '--help'])",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.skipif(os.name != "posix", reason="needs descriptors")
@pytest.mark.parametrize(
    ("redirected", "words", "code", "told"),
    [
        (">&-", ["--version"], 0, ""),
        ("<&- >&- 2>&-", ["--version"], 0, ""),
        ("2>&-", ["nonsense"], 2, ""),
        ("2>/dev/full", ["nonsense"], 2, ""),
        (">/dev/full", ["--version"], 1, "armillary: error: No space left on device"),
    ],
)
def test_closed_and_full_streams_are_no_defect(
    redirected: str, words: list[str], code: int, told: str
) -> None:
    command = [sys.executable, "-m", "armillary.experiments.cli", *words]
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirected}', "sh", *command],
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code
    assert done.stderr.startswith(told)
    assert done.stderr.count("\n") == bool(told)


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize(
    "after", [lambda: None, lambda: int("lost in a library")], ids=["at once", "as an error"]
)
def test_a_signal_ends_a_run_whatever_a_library_makes_of_it_and_however_often_it_comes(
    armillary: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: Callable[[], object],
) -> None:
    def end(config: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        finally:
            os.kill(os.getpid(), signal.SIGHUP)
            after()

    monkeypatch.setattr(collect, "run", end)
    done = armillary("collect", "output=run")
    assert done.code == 143
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"


def test_the_command_handles_signals_from_its_first_line_but_not_in_its_workers(
    tmp_path: Path,
) -> None:
    (tmp_path / "armillary").write_text(
        "import multiprocessing, signal\n"
        "from armillary.experiments.cli import main\n"
        "def tell():\n    print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, flush=True)\n"
        "if __name__ == '__main__':\n    tell()\n"
        "    worker = multiprocessing.get_context('spawn').Process(target=tell)\n"
        "    worker.start(), worker.join()\n"
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "armillary")],
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["False", "True"], done.stderr
