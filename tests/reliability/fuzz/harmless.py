"""Reads whole and damaged files with everything watched that a process does besides.

``python -m tests.reliability.fuzz.harmless FOLDER CASES`` prints what any reader did to the world:
a program started, a socket made, a file written outside the folder, or code from there run.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from armillary.errors import ArmillaryError, RunError
from armillary.hdf5 import probe
from tests.reliability.fuzz.outcome import emptied, put
from tests.reliability.fuzz.reader import Files, case
from tests.reliability.fuzz.readers import READERS, networks

RUN_CODE = {reader.name for reader in networks.READERS}
"""Readers of networks that a user names, which are programs."""
_STARTS = ("os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Watch:
    """What this process does, from now on and for good.

    Args:
        folder: where it may write, and from which nothing is run.

    Attributes:
        seen: everything else.
    """

    def __init__(self, folder: Path) -> None:
        self.seen: set[str] = set()
        self._folder = str(folder)
        sys.addaudithook(self._watch)

    def _watch(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(_STARTS):
            words = arguments[1] if event == "subprocess.Popen" else ()
            if probe.__file__ not in words:  # which looks at old HDF5 files
                self.seen.add(f"{event} {arguments[:2]}")
        elif event.startswith("socket."):
            self.seen.add(f"{event} {arguments[1:]}")
        elif event == "exec" and arguments[0].co_filename.startswith(self._folder):
            self.seen.add(f"runs {arguments[0].co_filename}")
        elif event == "open":
            path, _, flags = arguments
            name = os.fsdecode(path) if isinstance(path, str | bytes) else ""
            if flags & _WRITING and name and not name.startswith((self._folder, "/dev/null")):
                self.seen.add(f"writes {name}")


def main() -> int:
    """Tries every reader but those that run code; returns 1 where one did something else."""
    folder, count = Path(sys.argv[1]).absolute(), int(sys.argv[2])
    readers = [reader for name, reader in READERS.items() if name not in RUN_CODE]
    whole = {reader.name: reader.make() for reader in readers}
    for reader in readers:  # what is loaded when it is first needed is loaded now
        put(emptied(folder), whole[reader.name][0], {})
        reader.read(folder)
    watch = Watch(folder)
    for reader in readers:
        for index in range(count):
            files: Files = case(reader, whole[reader.name], 0, index) if index else {}
            put(emptied(folder), files or whole[reader.name][0], {})
            with suppress(ArmillaryError, RunError):
                reader.read(folder)
            for what in watch.seen:
                print(f"{reader.name}, case {index}: {what}")
            if watch.seen:
                return 1
    print(f"{len(readers)} readers, {count} cases each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
