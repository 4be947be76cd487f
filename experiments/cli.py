"""The command ``armillary VERB key=value ...``: composes, runs, tells mistakes in one line."""

from __future__ import annotations

import sys

from armillary.experiments.running.signals import code_of, end_at_once, ended_by_signals, is_command

if is_command():
    end_at_once("armillary")

import argparse
import importlib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from armillary.processors import spinning

os.environ.update(spinning(os.environ, "torch" in sys.modules))  # torch reads it when it is loaded

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from armillary.errors import ArmillaryError, shortened
from armillary.experiments.command.config import loader_of, require
from armillary.experiments.command.console import messages
from armillary.experiments.command.errors import RunError, UsageError
from armillary.experiments.command.sweep import sweep
from armillary.experiments.command.usage import complete, help_of, overview, shown
from armillary.experiments.command.verbs import verbs
from armillary.experiments.running.kernels import kernels
from armillary.experiments.running.provenance import package_version
from armillary.experiments.running.run_directory import is_follower, recorded
from armillary.experiments.running.streams import open_streams, silence
from armillary.experiments.running.system import told
from armillary.suggestions import suggest

MISTAKE, FAILURE = 2, 1


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        hint = "; write --cfg job, --cfg hydra or --cfg all" if "--cfg" in message else ""
        raise UsageError(f"{message}{hint}")


_PARSER = _Parser(add_help=False, allow_abbrev=False)
"""The flags, which are Hydra's where Hydra has them."""
_PARSER.add_argument("-h", "--help", action="store_true")
_PARSER.add_argument("--traceback", action="store_true")
_PARSER.add_argument("-m", "--multirun", action="store_true")
_PARSER.add_argument("-c", "--cfg", choices=("job", "hydra", "all"), default="")
_PARSER.add_argument("-p", "--package", default="")
_PARSER.add_argument("--resolve", action="store_true")  # what is printed is resolved always
_PARSER.add_argument("-cd", "--config-dir")
_PARSER.add_argument("--device-checks", action="store_true")  # as device_checks=true of bench
_PARSER.add_argument("-sc", "--shell-completion", dest="completion", default="")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code.

    A user's mistake, which is an ``ArmillaryError`` everywhere in this project, is told in a few
    lines with exit code 2, and a run that cannot go on with exit code 1, unless ``--traceback``
    asks for more. Anything else that is raised is a defect and keeps its traceback.
    """
    open_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = f"armillary {words[0]}" if words and words[0] in verbs() else "armillary"
    try:
        return _guarded(name, "--traceback" in words, lambda: _dispatch(words))
    except KeyboardInterrupt as error:
        _say(f"{name}: {error if error.args else 'interrupted'}")
        return code_of(error)


def _guarded(name: str, traceback: bool, work: Callable[[], int]) -> int:
    """Where errors become messages and exit codes."""
    try:
        with told():
            code = work()
            sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the output, head say, has seen enough
        silence()
        return FAILURE
    except (ArmillaryError, RunError) as error:
        if traceback:
            raise
        _say(f"{name}: error: {shortened(str(error).strip())}")
        try:
            sys.stdout.flush()
        except OSError:  # which is then what went wrong
            silence()
        return FAILURE if isinstance(error, RunError) else MISTAKE
    return code


def _dispatch(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        print(f"armillary {package_version()}")
        return 0
    flags, given = _PARSER.parse_known_args(arguments)  # a flag may stand anywhere
    unknown = [word.partition("=")[0] for word in given if word.startswith("-") and word != "-"]
    if unknown:
        known = _PARSER._option_string_actions
        raise UsageError(f"unknown flag {unknown[0]!r}; {suggest(unknown[0], known)}")
    verb, *words = given or ["help"]
    words += ["device_checks=true"] * flags.device_checks
    if flags.completion:
        complete(flags.completion, loader_of(flags.config_dir))
    elif verb == "help":
        print(overview())
    elif verb not in verbs():
        raise UsageError(f"unknown verb {verb!r}; {suggest(verb, verbs())}")
    elif flags.help:
        print(help_of(verb, words, flags.config_dir))
    elif flags.multirun:
        with ended_by_signals():
            return sweep(verb, words, loader_of(flags.config_dir), _job)
    else:
        return _one(verb, words, flags)
    return 0


def _one(verb: str, words: Sequence[str], flags: argparse.Namespace) -> int:
    """Prints a configuration, or runs it."""
    loader = loader_of(flags.config_dir)
    if flags.cfg:
        print(shown(loader.with_hydra(verb, words), flags.cfg, flags.package), end="")
        return 0
    config = loader.with_hydra(verb, words)
    HydraConfig.instance().set_config(config)  # as in the jobs of a sweep
    with open_dict(config):
        del config["hydra"]
    require(config)
    _run(verb, config, words)
    return 0


def _job(verb: str, config: DictConfig, words: Sequence[str]) -> int:
    """A job of a sweep: what goes wrong is told, and the others go on."""

    def work() -> int:
        _run(verb, config, words)
        return 0

    return _guarded(f"armillary {verb}", False, work)


def _run(verb: str, config: DictConfig, words: Sequence[str]) -> None:
    module = importlib.import_module("armillary.experiments.verbs." + verb.replace("-", "_"))
    if is_follower(config):  # of several processes, the first one owns the run's directory
        with kernels(config.deterministic):
            module.run(config)
        return
    # Only from here on there is something to tidy up. Before, a signal ends the process at once.
    with ended_by_signals(), recorded(verb, config, words):
        module.run(config)


def _say(line: str) -> None:
    with suppress(OSError):  # nobody can be told
        messages.print(line, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
