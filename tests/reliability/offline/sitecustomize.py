"""On the path of a Python process, and of those that it starts: no network, and who wanted one.

``ARMILLARY_SOCKETS`` names the file. Sockets of the machine's own (``AF_UNIX``), by which processes
talk to each other, are allowed.
"""

import os
import sys

_UNIX, _OF_A_DESCRIPTOR = 1, -1
_BY_NAME = ("socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname", "urllib.Request")
_BY_SOCKET = ("socket.bind", "socket.connect", "socket.sendmsg", "socket.sendto")


def _watch(event: str, arguments: tuple) -> None:
    if event == "socket.__new__":
        wanted = arguments[1] not in (_UNIX, _OF_A_DESCRIPTOR)
    elif event in _BY_SOCKET:
        wanted = arguments[0].family != _UNIX
    else:
        wanted = event in _BY_NAME
    if wanted:
        with open(os.environ["ARMILLARY_SOCKETS"], "a", encoding="utf-8") as file:
            file.write(f"{event} {arguments[1:]!r} in {sys.argv}\n")
        raise RuntimeError(f"no network here: {event}")


sys.addaudithook(_watch)
