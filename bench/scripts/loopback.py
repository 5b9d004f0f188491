"""Importing this refuses every connection that leaves the machine, and ends the script with code 97 for it.

A library that swallows the refusal is told on all the same: what it tried is remembered until the end.
"""

import atexit
import ipaddress
import os
import sys

TRIED = 97
_strangers: list[str] = []


def _is_loopback(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host).split("%")[0]).is_loopback
    except ValueError:
        return False


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else "localhost"
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if not _is_loopback(host):
        _strangers.append(str(host))
        raise PermissionError(f"a benchmark may connect to loopback only, not to {host}")


def _tell() -> None:
    if _strangers:
        print(
            f"connections beyond loopback: {', '.join(sorted(set(_strangers)))}", file=sys.stderr, flush=True
        )
        os._exit(TRIED)


sys.addaudithook(_watch)
atexit.register(_tell)
