"""Completion of the command line by a shell: verbs here, the rest by Hydra's plug-ins."""

from __future__ import annotations

import os
from typing import cast

from hydra.core.plugins import Plugins
from hydra.core.utils import JobRuntime
from hydra.plugins.completion_plugin import CompletionPlugin

from armillary.experiments.command.errors import UsageError
from armillary.experiments.command.loader import Loader
from armillary.experiments.command.verbs import verbs
from armillary.suggestions import suggest


def complete(request: str, loader: Loader) -> None:
    """Prints what a shell asks for.

    Args:
        request: ``install=SHELL`` or ``uninstall=SHELL`` prints what the shell is to evaluate,
            ``query=SHELL`` the words that may follow.
        loader: of configurations.

    Raises:
        UsageError: there is no such request or shell.
    """
    what, _, shell = request.partition("=")
    kinds = cast(list[type[CompletionPlugin]], Plugins.instance().discover(CompletionPlugin))
    found = {kind.provides(): kind for kind in kinds}
    if what not in ("install", "uninstall", "query") or shell not in found:
        raise UsageError(
            f"--shell-completion takes install=SHELL, uninstall=SHELL or query=SHELL, got "
            f"{request!r}; {suggest(shell, found)}"
        )
    plugin = found[shell](loader)
    if what != "query":
        getattr(plugin, what)()
        return
    program, _, rest = os.environ.get("COMP_LINE", "").partition(" ")
    verb, space, words = rest.lstrip().partition(" ")
    if not space:
        print(" ".join(name for name in verbs() if name.startswith(verb)))
    elif verb in verbs():
        os.environ["COMP_LINE"] = f"{program} {words}"
        JobRuntime.instance().set("name", verb)
        plugin.query(verb)
