"""Looking a host's name up, with a deadline.

The system's resolver has none that we could set: with a name service that never answers it blocks for as long as
/etc/resolv.conf says (ten seconds for each server in it, and again for each search domain), and nothing wakes it. So a
thread asks, and whoever waits for it stops waiting when the time is up. A later question for the same name waits for
the same thread: a name service that is down costs one thread for each name, not one for each try.
"""

import ipaddress
import socket
import threading

from urllib3.util.connection import allowed_gai_family


class NameTimeout(Exception):
    """The name service did not answer in time."""


class _Question:
    """One name that is being looked up."""

    def __init__(self) -> None:
        self.answered = threading.Event()
        self.addresses: list[str] = []
        self.error: OSError | UnicodeError | None = None


_asked: dict[tuple[str, int], _Question] = {}
_lock = threading.Lock()


def addresses(host: str, port: int, seconds: float) -> list[str]:
    """The numeric addresses of a host, in the order in which they are to be tried; at least one.

    Raises NameTimeout after so many seconds, socket.gaierror where there is no such name.
    """
    bare = host.strip("[]")
    try:
        ipaddress.ip_address(bare.split("%")[0])
        return [bare]
    except ValueError:
        question = _ask(bare, port)
    if not question.answered.wait(seconds):
        raise NameTimeout(host)
    if question.error is not None:
        raise question.error
    return question.addresses


def _ask(host: str, port: int) -> _Question:
    with _lock:
        question = _asked.get((host, port))
        if question is None:
            question = _asked[host, port] = _Question()
            threading.Thread(target=_look_up, args=(host, port, question), name="names", daemon=True).start()
        return question


def _look_up(host: str, port: int, question: _Question) -> None:
    try:
        found = socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
        question.addresses = list(dict.fromkeys(str(place[4][0]) for place in found))
        if not found:
            question.error = socket.gaierror(socket.EAI_NONAME, "no address")
    except (OSError, UnicodeError) as error:
        question.error = error
    finally:
        with _lock:
            del _asked[host, port]
        question.answered.set()
