"""The directory of a run: refused if another run holds it, then config, record and log."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from armillary.errors import ArmillaryError
from armillary.experiments.command.config import flatten, to_dict
from armillary.experiments.command.console import messages
from armillary.experiments.command.errors import RunError, UsageError
from armillary.experiments.command.yaml_text import read
from armillary.experiments.running.kernels import kernels
from armillary.experiments.running.outputs import reserved
from armillary.experiments.running.provenance import commit, versions
from armillary.experiments.running.signals import heeding_signals
from armillary.experiments.running.system import told
from armillary.experiments.running.threads import number_for, torch_threads
from armillary.files import remove_leftovers, write_bytes, write_json, write_text
from armillary.locks import NAME as LOCK
from armillary.locks import locked
from armillary.reading import read_json
from armillary.world_models.training.ranks import follows

CONFIG, RECORD, LOG = _OWN = "config.yaml", "run.json", "run.log"
_FINISHED = "finished"
_PASSING = (LOCK, ".partial")
"""Ends of the names of files that are no work."""

_TABLE = "suite."
"""Settings that may change: rows of a suite are runs of their own, each with its settings."""

_OURS = "armillary"


def is_follower(config: DictConfig) -> bool:
    """Whether the command runs in several processes and this one is not the first.

    A follower keeps no record, no log and no results; it takes part and ends.

    Args:
        config: of the verb; ``trainer.devices`` and ``trainer.nodes`` say how many processes.
    """
    counts = [OmegaConf.select(config, f"trainer.{name}") or 1 for name in ("devices", "nodes")]
    return counts[0] * counts[1] > 1 and follows()


@contextmanager
def recorded(verb: str, config: DictConfig, words: Sequence[str]) -> Iterator[Path]:
    """Runs a block inside the directory ``config.output`` and records it there.

    A verb whose ``output`` is a file has a key ``record`` that names the directory instead.
    Writes ``config.yaml`` (resolved), ``run.json`` (command, commit, versions, seed, threads,
    whether deterministic, times, status) and ``run.log``. A user's mistake, an ``ArmillaryError``,
    leaves no trace if no other file is there; a run that ends with any other error keeps its
    directory.

    Args:
        verb: what runs.
        config: composed; ``record``, else ``output``, is the directory.
        words: the command line.

    Raises:
        UsageError: the directory holds something else, or a path cannot be used.
        ArmillaryError: another process writes to the directory or the file.
        RunError: the disk is full, and the like.
    """
    directory = Path(config.get("record", config.output)).expanduser()
    command = shlex.join(["armillary", verb, *words])
    check(directory, verb, to_dict(config))
    missing = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    with told():
        directory.mkdir(parents=True, exist_ok=True)
        try:
            with locked(directory, command):
                check(directory, verb, to_dict(config))
                remove_leftovers(directory)
                with reserved(config, command), _kept(verb, config, command, directory):
                    yield directory
        finally:
            _remove_empty(missing)


@contextmanager
def _kept(verb: str, config: DictConfig, command: str, directory: Path) -> Iterator[None]:
    """Keeps configuration, record and log of a block in its directory."""
    before = {name: _content(directory / name) for name in _OWN}
    exact = bool(config.get("deterministic"))
    threads = number_for(verb, _state(directory).get("threads"), exact)
    record = {
        "verb": verb,
        "command": command,
        "commit": commit(),
        "versions": versions(),
        "seed": config.get("seed"),
        "threads": threads,
        "deterministic": exact,
        "started": _now(),
        "ended": None,
        "status": "running",
    }
    write_json(directory / RECORD, record)  # first: by it others know whose the directory is
    write_text(directory / CONFIG, OmegaConf.to_yaml(config, resolve=True))
    status = "failed"
    try:
        with _logging(directory / LOG), torch_threads(threads):
            logging.getLogger(__name__).info("%s", command)
            with heeding_signals(), told(), kernels(exact):
                yield
        status = _FINISHED
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    except ArmillaryError:
        status = "refused"
        raise
    finally:
        _end(directory, {**record, "ended": _now(), "status": status}, before)


def _end(directory: Path, record: Mapping[str, Any], before: Mapping[str, bytes | None]) -> None:
    """Writes how a run ended; the record of a mistake that made nothing goes instead."""
    refused = record["status"] == "refused"
    try:
        if refused and (before[RECORD] is not None or not _work(directory, _OWN)):
            _put_back(directory, before)
        else:
            write_json(directory / RECORD, record)
    except OSError:  # what ended the run is told; that it is dead is seen by its lock
        if record["status"] == _FINISHED:
            raise


def check(directory: Path, verb: str, config: Mapping[str, Any]) -> None:
    """Raises UsageError unless the directory is new, empty, or of the same verb and configuration.

    A verb with an option ``resume`` decides itself which settings a continued run must keep, and
    one with a ``record`` beside its file whether that file is replaced. A run that did not finish
    and made nothing, because it was killed at once say, keeps nobody out.
    """
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file; the run needs a directory there")
    state = _state(directory)
    own = _OWN if "verb" in state else ()
    if state.get("status") != _FINISHED and not _work(directory, own):
        return
    try:
        holder = state["verb"]
        former = OmegaConf.to_container(read(directory / CONFIG)[0])
    except (ArmillaryError, KeyError) as error:
        raise UsageError(
            f"{directory} holds files that are no run of this command; "
            "choose a new or empty directory"
        ) from error
    if holder != verb:
        raise UsageError(
            f"{directory} holds a run of {holder!r}; choose another directory for {verb!r}"
        )
    if "resume" in config or "record" in config:
        return
    there, here = flatten(former), flatten(dict(config))
    for key in sorted({*there, *here} - {"output", "to"}):
        if key.startswith(_TABLE):
            continue
        new_and_off = key not in there and here[key] is False
        if there.get(key) != here.get(key) and not new_and_off:
            raise UsageError(
                f"{directory} holds another run: {key} is {there.get(key)!r} there and "
                f"{here.get(key)!r} here; choose another directory"
            )


def _state(directory: Path) -> dict[str, Any]:
    """What a run says of itself; nothing where that cannot be read."""
    try:
        return read_json(directory / RECORD)
    except ArmillaryError:
        return {}


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _work(directory: Path, own: Sequence[str]) -> bool:
    """Whether a directory holds a file that is none of its own record."""
    ours = {directory / name for name in own}
    found = (path for path in directory.rglob("*") if not path.name.endswith(_PASSING))
    return any(path not in ours and not path.is_dir() for path in found)


def _remove_empty(made: Sequence[Path]) -> None:
    """Removes the folders that a run made, its own first with those in it, as far as empty."""
    inside = sorted(made[0].rglob("*"), reverse=True) if made else []
    for folder in (*inside, *made):
        with suppress(OSError):
            folder.rmdir()


def _put_back(directory: Path, before: Mapping[str, bytes | None]) -> None:
    for name, content in before.items():
        if content is None:
            (directory / name).unlink(missing_ok=True)
        else:
            write_bytes(directory / name, content)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class _Screen(logging.Handler):
    """Prints above a progress bar, unwrapped."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        line = f"{level}{record.getMessage()}"
        messages.print(line, markup=False, highlight=False, soft_wrap=True)


class _File(logging.FileHandler):
    """The log. Where it cannot be written, on a full disk say, the run tells what is wrong."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Says nothing."""

    def close(self) -> None:
        with suppress(OSError):
            super().close()


@contextmanager
def _logging(path: Path) -> Iterator[None]:
    """Sends what our packages log, and everybody's warnings, to the file and to stderr.

    Inside another run's block only the file is added: its lines reach stderr already.
    """
    file = _File(path, encoding="utf-8", errors="backslashreplace")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    screen = _Screen()
    root = logging.getLogger()
    nested = any(isinstance(handler, _Screen) for handler in root.handlers)
    handlers = [file] if nested else [file, screen]
    level = logging.getLogger(_OURS).level
    for handler in handlers:
        root.addHandler(handler)
    logging.getLogger(_OURS).setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    except (KeyboardInterrupt, RunError, ArmillaryError) as error:
        logging.getLogger(__name__).debug("%s", error)
        raise
    except BaseException:
        for handler in handlers[1:]:  # the screen gets the traceback from Python
            root.removeHandler(handler)
        logging.getLogger(__name__).exception("the run failed")
        raise
    finally:
        logging.captureWarnings(nested)
        logging.getLogger(_OURS).setLevel(level)
        for handler in handlers:
            root.removeHandler(handler)
        file.close()
