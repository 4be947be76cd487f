"""The command ``armillary VERB key=value ...``: composes, runs, tells mistakes in one line."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from omegaconf import OmegaConf

from armillary.errors import ArmillaryError, shortened
from armillary.experiments.command.config import compose, require, verbs
from armillary.experiments.command.console import messages
from armillary.experiments.command.errors import RunError, UsageError
from armillary.experiments.command.processes import is_follower
from armillary.experiments.command.provenance import package_version
from armillary.experiments.command.run_directory import recorded
from armillary.experiments.command.usage import help_of, overview
from armillary.suggestions import suggest

MISTAKE, FAILURE, INTERRUPTED = 2, 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code.

    A user's mistake, which is an ``ArmillaryError`` everywhere in this project, is told in a few
    lines with exit code 2, and a run that cannot go on with exit code 1, unless ``--traceback``
    asks for more. Anything else that is raised is a defect and keeps its traceback.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    traceback = "--traceback" in words
    words = [word for word in words if word != "--traceback"]
    name = " ".join(["armillary", *words[:1]]) if words[:1] and words[0] in verbs() else "armillary"
    try:
        _dispatch(words)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the output, head say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except KeyboardInterrupt:
        _say(f"{name}: interrupted")
        return INTERRUPTED
    except (ArmillaryError, RunError) as error:
        if traceback:
            raise
        _say(f"{name}: error: {shortened(str(error).strip())}")
        return FAILURE if isinstance(error, RunError) else MISTAKE
    return 0


def _dispatch(words: list[str]) -> None:
    if not words or words[0] in ("--help", "-h", "help"):
        print(overview())
    elif words[0] == "--version":
        print(f"armillary {package_version()}")
    elif words[0] not in verbs():
        raise UsageError(f"unknown verb {words[0]!r}; {suggest(words[0], verbs())}")
    else:
        _run(words[0], words[1:])


def _run(verb: str, words: list[str]) -> None:
    """Helps, prints the configuration, or runs."""
    if "--help" in words or "-h" in words:
        print(help_of(verb))
        return
    show = "--cfg" in words
    if show:
        position = words.index("--cfg")
        if words[position + 1 : position + 2] != ["job"]:
            raise UsageError("--cfg takes one word: --cfg job")
        del words[position : position + 2]
    flags = [word for word in words if word.startswith("--")]
    if flags:
        raise UsageError(f"unknown flag {flags[0]!r}; choose from --cfg job, --help, --traceback")
    config = compose(verb, words)
    if show:
        print(OmegaConf.to_yaml(config, resolve=True), end="")
        return
    require(config)
    module = importlib.import_module("armillary.experiments.verbs." + verb.replace("-", "_"))
    if is_follower(config):  # of several processes, the first one owns the run's directory
        module.run(config)
        return
    with recorded(verb, config, words):
        module.run(config)


def _say(line: str) -> None:
    messages.print(line, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
