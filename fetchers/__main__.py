"""`python -m fetchers`: execute one job.

Under the engine it takes its orders from stdin, one JSON line, and watches stdin from then on: when the other end is
gone, so is this process. It tells what happens as JSON lines on stdout.

By hand, with no panel: python -m fetchers faculty --settings settings.json --database sqlite:///x.db
"""

import argparse
import json
import os
import sys
import threading
import uuid
from datetime import UTC, datetime
from typing import Any


def main(arguments: list[str]) -> int:
    """The exit code: 0 done, 1 failed, 2 wrong use, 3 held."""
    if arguments:
        return _by_hand(arguments)
    return _under_the_engine()


def _under_the_engine() -> int:
    # Unbuffered and below Python's own buffers, so that the watcher and the first line share nothing.
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 1 << 16)
        if not piece:
            return 2
        line += piece
    threading.Thread(target=_watch_lifeline, daemon=True).start()

    from fetchers.core.events import Events, json_lines
    from fetchers.core.job import Job, check
    from fetchers.core.spec import Spec

    spec = Spec.model_validate_json(line)
    events = Events(json_lines(sys.stdout))
    if spec.check:
        return check(spec, events)
    if spec.mode == "approve":
        from fetchers.core.approve import Approval

        return Approval(spec, events).run()
    if spec.mode == "undo":
        from fetchers.core.undo import Undo

        return Undo(spec, events).run()
    return Job(spec, events).run()


def _watch_lifeline() -> None:
    """When the parent is gone, so are we: at once, and without a word. An open transaction is undone by SQLite."""
    while os.read(0, 1 << 16):
        pass
    os._exit(1)


def _by_hand(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m fetchers", description="Execute one job by hand.")
    parser.add_argument("source", help="a file below fetchers/, without .py")
    parser.add_argument("--settings", required=True, help="JSON file with the source's settings")
    parser.add_argument("--database", required=True, help="where to store, as sqlite:///file.db")
    parser.add_argument(
        "--full", action="store_true", help="compare with the stored rows, ignore known hashes"
    )
    parser.add_argument("--dry-run", action="store_true", help="compare, write nothing")
    parser.add_argument("--json", action="store_true", help="print the events instead of a progress bar")
    given = parser.parse_args(arguments)

    from fetchers.core import ledger, sql
    from fetchers.core.errors import FetchError
    from fetchers.core.events import Events, json_lines
    from fetchers.core.job import Job
    from fetchers.core.spec import Spec

    try:
        with open(given.settings, encoding="utf-8") as file:
            settings: dict[str, Any] = json.load(file)
        epoch = ledger.destination_epoch(given.database)
        staging = sql.path_of(given.database).resolve().parent / "staging"
    except (OSError, ValueError, FetchError) as error:
        parser.error(str(error))
    spec = Spec(
        source=given.source,
        settings=settings,
        run=str(uuid.uuid4()),
        epoch=epoch,
        database=given.database,
        staging=str(staging),
        mode="full" if given.full else "incremental",
        dry_run=given.dry_run,
        now=datetime.now(UTC),
    )
    if given.json:
        return Job(spec, Events(json_lines(sys.stdout))).run()
    from fetchers.core.terminal import ProgressBar

    with ProgressBar() as bar:
        return Job(spec, Events(bar.show)).run()


if __name__ == "__main__":
    # os._exit: daemon threads may be inside a request, and nothing of theirs is worth waiting for.
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
