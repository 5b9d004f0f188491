"""approve, reject: the two answers to a held run. The third, to fetch again, is `sync`."""

import click

from panel import audit
from panel.cli.house import ACTOR, House, Refusal
from panel.cli.sync import end_with
from panel.clock import utcnow
from panel.db import writing


@click.command()
@click.argument("run", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print the approving run as the last line of stdout.")
@click.pass_obj
def approve(house: House, run: int, as_json: bool) -> None:
    """Accept once what a held run would remove, and publish it.

    The gateway is not asked. Refused (E_MOVED) if the data have changed since that run.
    """
    from panel import decisions, runs

    with writing(house.sessions) as session:
        try:
            found = runs.get(session, run)
            asked = decisions.approve(session, found, triggered_by="cli", now=utcnow(), user=ACTOR)
        except (LookupError, decisions.CannotDecide) as error:
            raise Refusal(str(error)) from error
        if not asked.joined:
            audit.record(session, ACTOR, "hold_accepted", found.sync.key, run=run, by_run=asked.run.id)
        approving = asked.run.id
    end_with(house, approving, as_json=as_json)


@click.command()
@click.argument("run", type=int)
@click.pass_obj
def reject(house: House, run: int) -> None:
    """Keep the old data that a held run would remove."""
    from panel import decisions, runs

    with writing(house.sessions) as session:
        try:
            found = runs.get(session, run)
            decisions.reject(session, found, now=utcnow(), user=ACTOR)
        except (LookupError, decisions.CannotDecide) as error:
            raise Refusal(str(error)) from error
        audit.record(session, ACTOR, "hold_rejected", found.sync.key, run=run)
    click.echo(f"The old data stay; what run {run} held is not published.")
