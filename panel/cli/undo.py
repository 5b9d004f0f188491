"""undo: take back what one run did to the data."""

import json
import sys

import click

from panel import audit
from panel.cli.house import ACTOR, House, Refusal
from panel.cli.sync import end_with
from panel.clock import utcnow
from panel.db import writing


@click.command()
@click.argument("run", type=int)
@click.option("--preview", "only_look", is_flag=True, help="Say what it would do; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the undoing run (or the preview) as JSON.")
@click.pass_obj
def undo(house: House, run: int, only_look: bool, as_json: bool) -> None:
    """Take back what a run did: added rows leave, gone ones return, changed fields are put back.

    Rows that were changed since are left and listed. Afterwards the automatic sync of the source is paused; go on
    with `schedule KEY --resume`. The gateway is not asked.
    """
    from panel import runs, undoing

    if only_look:
        _preview(house, run, as_json)
    with writing(house.sessions) as session:
        try:
            found = runs.get(session, run)
            asked = undoing.undo(session, found, triggered_by="cli", now=utcnow(), user=ACTOR)
        except (LookupError, undoing.CannotUndo) as error:
            raise Refusal(str(error)) from error
        if not asked.joined:
            audit.record(session, ACTOR, "run_undone", found.sync.key, run=asked.run.id, undoes=run)
        run_id = asked.run.id
    end_with(house, run_id, as_json=as_json)


def _preview(house: House, run: int, as_json: bool) -> None:
    from fetchers.core.decide.undo import preview
    from fetchers.core.errors import FetchError
    from panel import runs, undoing

    with house.sessions() as session:
        try:
            found = runs.get(session, run)
            why_not = undoing.why_not(session, found)
            if why_not is not None:
                raise Refusal(why_not)
            seen = preview(house.config.data_database_url, found.sync.fetcher, found.uuid, limit=0)
        except (LookupError, FetchError) as error:
            raise Refusal(str(error)) from error
    facts = {"run": run, "counts": seen.counts.to_dict(), "left": seen.left, "parts": seen.parts}
    if as_json:
        click.echo(json.dumps(facts))
    else:
        counts = seen.counts
        click.echo(
            f"Undoing run {run} would remove {counts.gone:,} rows, bring back {counts.added:,}, put back fields of "
            f"{counts.changed:,}, and leave {seen.left:,} that were changed since."
        )
    sys.exit(0)
