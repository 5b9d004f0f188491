"""python -m fetchers.golestan.simulator: a Golestan gateway of invented people, on loopback."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from datetime import date
from typing import Any

from .campuses import SIZES
from .control import PREFIX, Control
from .gateway import Gateway
from .options import FAULTS, PROFILES, Options
from .wire import Request, Response, Server


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    usual = Options()
    parser = argparse.ArgumentParser(prog="python -m fetchers.golestan.simulator", description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=0, help="0 chooses a free one; the first line of stdout tells which")
    add("--profile", choices=tuple(PROFILES), default=usual.profile)
    add("--size", choices=tuple(SIZES), default=usual.size)
    add("--seed", type=int, default=usual.seed)
    add("--rows", type=int, help="benchmark: exactly so many student rows, in --parts parts")
    add("--parts", type=int, help="benchmark: number of parts (campus and term)")
    add("--today", type=date.fromisoformat, help="YYYY-MM-DD; else the day in Tehran")
    add("--username", default=usual.username)
    add("--password", default=usual.password)
    add("--fault", action="append", default=[], metavar="NAME=RATE", help=f"one of {', '.join(FAULTS)}")
    add("--dirt", type=float, default=usual.dirt, help="0 clean, 1 usual, up to 5")
    add("--two-campus", type=float, default=usual.two_campus, help="share of students listed by two campuses")
    add("--latency", type=float, default=usual.latency, help="milliseconds before each answer")
    add("--rate-limit", type=float, help="requests a second; 429 above it")
    add("--page-cap", type=int, help="greatest page; 0 for none")
    add(
        "--whole",
        action="store_true",
        help="give all rows of a part at once, whatever page size is asked for",
    )
    add("--totals", choices=("present", "absent", "wrong"))
    add("--unknown-campus", type=int, choices=(200, 400, 404))
    add("--hang", type=float, default=usual.hang, help="seconds of silence and dripping")
    add("--retry-after", type=int, default=usual.retry_after, help="greatest Retry-After, seconds")
    add("--outage-requests", type=int, help="length of an outage, in requests")
    add(
        "--outage-seconds",
        type=float,
        default=usual.outage_seconds,
        help="after which an outage is over in any case",
    )
    add("--token-life", type=float, default=usual.token_life, help="seconds")
    add("--token-uses", type=int, help="requests that a token is good for (1: one-use)")
    add("--cache-mb", type=int, default=usual.cache_mb, help="memory for rendered pages")
    add("--warm", action="store_true", help="render everything before the first request")
    add("--lifeline", action="store_true", help="end when stdin is closed")
    return parser.parse_args(argv)


def _options(arguments: argparse.Namespace) -> Options:
    chosen: dict[str, Any] = {
        name: value for name, value in vars(arguments).items() if name in Options.__dataclass_fields__
    }
    for text in arguments.fault:
        name, _, rate = text.partition("=")
        if name not in FAULTS:
            raise SystemExit(f"--fault {text}: the faults are {', '.join(FAULTS)}")
        try:
            chosen.setdefault("faults", {})[name] = float(rate)
        except ValueError:
            raise SystemExit(f"--fault {text}: NAME=RATE, with a number as rate") from None
    return Options(**chosen)


def main(argv: list[str] | None = None) -> None:
    """Build the world, bind, say where, serve until told to end."""
    arguments = _arguments(argv)
    options = _options(arguments)
    gateway = Gateway(options)
    control = Control(gateway, options)

    def answer(request: Request) -> Response:
        if request.path.startswith(PREFIX):
            return control.answer(request)
        return gateway.answer(request)

    server = control.server = Server(arguments.port, answer)
    if arguments.warm:
        gateway.pages.warm()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    if arguments.lifeline:
        threading.Thread(target=_until_eof, args=(server,), daemon=True).start()
    print(f"listening on http://{server.address[0]}:{server.address[1]}", flush=True)
    server.serve()


def _until_eof(server: Server) -> None:
    while sys.stdin.buffer.read(65_536):
        continue
    server.close()


if __name__ == "__main__":
    main()
