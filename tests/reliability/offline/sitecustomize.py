"""On the path of a Python process, and of those that it starts: writes down every use of a network.

``ARMILLARY_SOCKETS`` names the file. Sockets of the machine's own (``AF_UNIX``), by which processes
talk to each other, are none.
"""

import os
import sys

_LOCAL = ("AF_UNIX", "1")
_EVENTS = {
    "socket.__new__",
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyaddr",
    "socket.gethostbyname",
    "socket.sendmsg",
    "socket.sendto",
    "urllib.Request",
}


def _watch(event: str, arguments: tuple) -> None:
    if event not in _EVENTS:
        return
    if event == "socket.__new__" and _family(arguments[1]) in _LOCAL:
        return
    if event != "socket.__new__" and event.startswith("socket.") and hasattr(arguments[0], "family"):
        if _family(arguments[0].family) in _LOCAL:
            return
    with open(os.environ["ARMILLARY_SOCKETS"], "a", encoding="utf-8") as file:
        file.write(f"{event} {arguments[1:]!r} in {sys.argv}\n")
    raise RuntimeError(f"no network here: {event}")
