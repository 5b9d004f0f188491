"""sync: ask for a run, and follow it to its end."""

import json
import signal
import sys
import threading
from typing import Any, NoReturn

import click
from sqlalchemy.orm import Session, sessionmaker

from panel import audit
from panel.cli.follow import Gone, follow
from panel.cli.house import ACTOR, House, Refusal, say, sync_of
from panel.clock import utcnow
from panel.db import writing
from panel.models import DataSync, SyncRun

EXIT_CODES = {"success": 0, "held": 3}  # everything else: 1


@click.command()
@click.argument("key")
@click.option("--full", is_flag=True, help="Compare with the stored rows, whatever the index remembers.")
@click.option(
    "--partition",
    "partitions",
    multiple=True,
    metavar="campus=1110,term=4051",
    help="Only this part; repeatable.",
)
@click.option(
    "--person",
    metavar="40311234501",
    help="Only the parts in which this person is, or was, and the open terms of those campuses.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="A rehearsal: fetch and compare, show exactly what would change, write nothing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the run as the last line of stdout.")
@click.pass_obj
def sync(
    house: House,
    key: str,
    full: bool,
    partitions: tuple[str, ...],
    person: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Sync one source now, and follow the run to its end.

    Where an engine runs it executes the run, and Ctrl-C leaves it alone; else this command executes it itself.
    The exit code of a rehearsal is the one that the real run would have: 3 where it would be held.
    """
    from panel import runs

    if person is not None and partitions:
        raise Refusal(
            "--person and --partition exclude one another: a person's parts are found by themselves"
        )
    factory = house.sessions
    mode = "full" if full else "incremental"
    with writing(factory) as session:
        found = sync_of(session, key)
        wanted = [_partition(found, text) for text in partitions] or None
        if person is not None:
            wanted = _parts_of(person, found, session, house)
        asked = runs.request(
            session,
            found,
            triggered_by="cli",
            now=utcnow(),
            user=ACTOR,
            mode=mode,
            dry_run=dry_run,
            partitions=wanted,
        )
        run_id = asked.run.id
        if asked.joined:
            _say_joined(asked.run, mode, dry_run, wanted)
        else:
            told: dict[str, Any] = {} if wanted is None else {"parts": len(wanted)}
            action = "rehearsal_requested" if dry_run else "run_requested"
            audit.record(session, ACTOR, action, key, run=run_id, mode=mode, **told)
    end_with(house, run_id, as_json=as_json)


def end_with(house: House, run_id: int, *, as_json: bool) -> NoReturn:
    """Follow a run that was asked for to its end, print how it ended, and exit with the code that tells."""
    from panel import doorbell

    doorbell.ring(house.config.instance)
    # A command that is told to end behaves as under Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ended = _to_the_end(house, house.sessions, run_id)
    if as_json:
        click.echo(json.dumps(ended.to_dict(), ensure_ascii=False))
    elif ended.dry_run:
        from panel.cli.rehearsal import summary

        click.echo(f"{verdict(ended)}\n{summary(house.config, ended)}")
    else:
        click.echo(verdict(ended))
    would_be_held = ended.dry_run and ended.status == "success" and ended.partitions_held > 0
    sys.exit(EXIT_CODES["held"] if would_be_held else EXIT_CODES.get(ended.status, 1))


def _to_the_end(house: House, factory: sessionmaker[Session], run_id: int) -> SyncRun:
    """Follow the run; where no engine leads, execute it here. An engine that vanishes meanwhile is replaced."""
    from panel.engine import lease

    while True:
        with factory() as session:
            led = lease.holder(session) is not None
        try:
            return follow(factory, run_id) if led else _execute(house, factory, run_id)
        except KeyboardInterrupt:
            say(f"\nRun {run_id} goes on in the engine. To stop it: python -m panel cancel {run_id}")
            sys.exit(130)
        except Gone:
            say("The engine has come or gone meanwhile; looking again.")


def _execute(house: House, factory: sessionmaker[Session], run_id: int) -> SyncRun:
    """Execute the run in a thread and follow it here. Ctrl-C cancels it, and waits until its child is gone."""
    from panel import doorbell, logs, runs
    from panel.engine.worker import EngineBusy, execute_here

    logs.configure("warning")
    failure: list[BaseException] = []

    def work() -> None:
        try:
            execute_here(house.config, run_id)
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            failure.append(error)

    worker = threading.Thread(target=work, name="run", daemon=True)
    worker.start()
    while True:
        try:
            ended = follow(factory, run_id, executed_by=worker)
            worker.join()  # it gives the lease back
            return ended
        except Gone:
            if failure and isinstance(failure[0], EngineBusy):
                raise
            if failure:
                raise failure[0] from None
            raise click.ClickException(f"run {run_id} has not ended, and nobody works on it") from None
        except KeyboardInterrupt:
            say("\nStopping the run …")
            with writing(factory) as session:
                runs.cancel(session, runs.get(session, run_id), now=utcnow(), user=ACTOR)
            doorbell.ring(house.config.instance)


def _partition(sync: DataSync, text: str) -> dict[str, str]:
    """campus=1110,term=4051 → {"campus": "1110", "term": "4051"}; some of a part's names are enough."""
    from fetchers.core import registry

    fetcher = registry.load(sync.fetcher).fetcher
    names = {
        name
        for stream in (fetcher.streams() if fetcher else [])
        for name in stream.partition_columns.values()
    }
    if not names:
        raise Refusal(f"“{sync.key}” is fetched as one whole; it has no parts to choose from")
    chosen: dict[str, str] = {}
    for pair in text.split(","):
        name, equals, value = (piece.strip() for piece in pair.partition("="))
        if not equals or not value or name in chosen:
            raise Refusal(f"--partition {text}: it looks like {'=…,'.join(sorted(names))}=…")
        if name not in names:
            raise Refusal(f"--partition {text}: “{name}” is not one of {', '.join(sorted(names))}")
        chosen[name] = value
    return chosen


def _parts_of(person: str, sync: DataSync, session: Session, house: House) -> list[dict[str, str]]:
    """The parts to ask for about one person, told before they are asked for."""
    from fetchers.core.errors import StorageError
    from panel import parts

    try:
        wanted = parts.of_person(sync, person, session, house.config, utcnow())
    except (parts.CannotChoose, StorageError) as error:
        raise Refusal(str(error)) from error
    say(f"{len(wanted)} parts: the gateway cannot be asked for one person, so their parts are")
    return wanted


def _say_joined(run: SyncRun, mode: str, dry_run: bool, wanted: list[dict[str, str]] | None) -> None:
    say(f"joined run {run.id}, which is {run.status} already")
    if (run.mode, run.dry_run, run.partitions_wanted) != (mode, dry_run, wanted):
        say("it was asked for with other options than yours; ask again when it has ended")


def verdict(run: SyncRun) -> str:
    """How a run ended, in a line or two."""
    facts: dict[str, Any] = run.to_dict()
    counts = ", ".join(
        f"{number:,} {name}" for name, number in facts["counts"].items() if number or name == "read"
    )
    seconds = "" if run.duration_seconds is None else f" in {run.duration_seconds:.1f} s"
    kind = "rehearsal, " if run.dry_run else ""
    line = f"{facts['sync']}: {kind}{run.status}{seconds} (run {run.id}): {counts}"
    if run.error_code:
        line += f"\n{run.error_code}: {run.error_message}"
    return line
