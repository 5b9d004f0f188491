"""`python -m fetchers`: execute one job.

Under the engine it takes its orders from stdin, one JSON line, and watches stdin from then on: when the other end is
gone, so is this process. It tells what happens as JSON lines on stdout.

By hand, with no panel: python -m fetchers faculty --settings settings.json --database sqlite:///x.db
"""

import argparse
import gc
import json
import os
import sys
import threading
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from pydantic import ValidationError

    from fetchers.core.events import Events
    from fetchers.core.spec import Spec

NO_MEMORY = b'{"event": "error", "error": {"code": "E_OOM", "params": {}, "retryable": true}}\n'


def main(arguments: list[str]) -> int:
    """The exit code: 0 done, 1 failed, 2 wrong use, 3 held."""
    if arguments:
        return _by_hand(arguments)
    return _under_the_engine()


def _under_the_engine() -> int:
    # Unbuffered and below Python's own buffers, so that the watcher and the first line share nothing.
    line = b""
    while b"\n" not in line:
        piece = os.read(0, 1 << 16)
        if not piece:
            return 2
        line += piece
    threading.Thread(target=_watch_lifeline, daemon=True).start()

    from pydantic import ValidationError

    from fetchers.core.errors import FetchError, OutOfMemory, is_out_of_memory
    from fetchers.core.events import Events, json_lines
    from fetchers.core.load.fetching import show_place
    from fetchers.core.load.tally import Tally
    from fetchers.core.spec import Spec

    _collect_seldom()
    events = Events(json_lines(_stdout_for_events()))
    try:
        return _execute(Spec.model_validate_json(line.split(b"\n", 1)[0]), events)
    except ValidationError as error:
        message = _wrong_spec(error)
        print(message, file=sys.stderr)
        Tally(events).tell_end("error", {}, FetchError(message, detail="ValidationError"))
        return 2
    except Exception as error:  # noqa: BLE001 - a mistake of ours: the parent is told, and stderr has the place
        if is_out_of_memory(error):
            error.__traceback__ = None  # with its frames goes what they held
            Tally(events).tell_end("error", {}, OutOfMemory())
            return 1
        show_place(error)
        kind = type(error).__name__
        Tally(events).tell_end("error", {}, FetchError(f"An error in Hamgam itself: {kind}.", detail=kind))
        return 1


def _collect_seldom() -> None:
    """Look for cycles after so many new objects only: records hold none, and looking costs a twentieth of a load."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def _execute(spec: "Spec", events: "Events") -> int:
    if spec.check:
        from fetchers.core.load.job import check

        return check(spec, events)
    if spec.preview:
        from fetchers.core.load.preview import preview

        return preview(spec, events)
    if spec.mode == "approve":
        from fetchers.core.decide.approve import Approval

        return Approval(spec, events).run()
    if spec.mode == "undo":
        from fetchers.core.decide.undo import Undo

        return Undo(spec, events).run()
    from fetchers.core.load.job import Job

    return Job(spec, events).run()


def _wrong_spec(error: "ValidationError") -> str:
    """What is wrong with an order, by name: never its values, which hold the password."""
    wrong = [
        ".".join(str(piece) for piece in one["loc"]) + f": {one['msg']}"
        for one in error.errors(include_input=False, include_url=False, include_context=False)
    ]
    return f"The order cannot be executed. {'; '.join(wrong)[:400]}"


def _stdout_for_events() -> TextIO:
    """The pipe to the parent. Whatever else prints to stdout, a fetcher's file for one, goes to stderr from now on."""
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return events


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
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="compare; what would change goes into rehearsals/ beside the database",
    )
    parser.add_argument("--json", action="store_true", help="print the events instead of a progress bar")
    given = parser.parse_args(arguments)

    from pydantic import ValidationError

    from fetchers.core.errors import FetchError
    from fetchers.core.events import Events, json_lines
    from fetchers.core.load.job import Job
    from fetchers.core.spec import Gateways, Spec
    from fetchers.core.store import ledger, sql

    try:
        with open(given.settings, encoding="utf-8") as file:
            settings: dict[str, Any] = json.load(file)
        beside = sql.path_of(given.database).resolve().parent
        spec = Spec(
            source=given.source,
            settings=settings,
            run=str(uuid.uuid4()),
            epoch=ledger.destination_epoch(given.database),
            database=given.database,
            staging=str(beside / "staging"),
            rehearsals=str(beside / "rehearsals"),
            gateways=Gateways(folder=str(beside / "gateways")),
            mode="full" if given.full else "incremental",
            dry_run=given.dry_run,
            now=datetime.now(UTC),
        )
    except ValidationError as error:
        parser.error(_wrong_spec(error))
    except (OSError, ValueError, FetchError) as error:
        parser.error(str(error))
    if given.json:
        return Job(spec, Events(json_lines(_stdout_for_events()))).run()
    from fetchers.core.terminal import ProgressBar

    with ProgressBar() as bar:
        return Job(spec, Events(bar.show)).run()


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        print("Interrupted. What was published stays; the next run fetches the rest.", file=sys.stderr)
        code = 130
    except MemoryError:  # so early that nobody could tell the engine yet; a line that is there already
        os.write(1, NO_MEMORY)
        code = 1
    # os._exit: daemon threads may be inside a request, and nothing of theirs is worth waiting for.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
