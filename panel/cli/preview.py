"""preview: what a source sends first, before anything is stored."""

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from panel.cli.house import House, Refusal, sync_of

EXAMPLES = 3


@click.command()
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="Print all that was seen as JSON.")
@click.pass_obj
def preview(house: House, key: str, as_json: bool) -> None:
    """Look at the first page of a source with its settings: fields, examples, oddities. Writes nothing.

    Values of personal fields are masked. Exit code 1: the gateway refused, or did not answer in time.
    """
    from fetchers.core.clean import flags
    from panel import diary, probe, settings

    with house.sessions() as session:
        sync = sync_of(session, key)
        resolved = settings.resolved(sync, session, house.config)
    if resolved.problems:
        name, why = resolved.problems[0]
        raise Refusal(f"{name}: {why}" if name else why)
    answer = probe.preview(sync.fetcher, resolved.values, house.config)
    if not answer.ok:
        raise click.ClickException(f"{answer.code}: {answer.message}")
    seen = dict(answer.seen)
    stream = diary.streams()[seen["stream"]]
    personal = {name for name, field in stream.fields.items() if field.personal}
    seen["rows"] = [
        {
            column: diary.MASK if value and column in personal else value
            for column, value in zip(seen["columns"], row, strict=True)
        }
        for row in seen["rows"]
    ]
    if as_json:
        click.echo(json.dumps(seen, ensure_ascii=False))
        return
    announced = "not announced" if seen["total"] is None else f"{seen['total']:,} announced"
    click.echo(
        f"{key}: {seen['read']:,} records on the first page of {seen['part'] or 'the whole'} ({announced}), "
        f"{seen['parts']:,} parts planned. Nothing was written."
    )
    Console().print(_fields(seen))
    for one in seen["odd"]:
        click.echo(
            f"odd, {one['times']:,} times: {one['field'] or 'record'}: {flags.what(one['reason'])('en')}"
        )
    if seen["unknown"]:
        click.echo(f"not stored: {', '.join(seen['unknown'])}")


def _fields(seen: dict[str, Any]) -> Table:
    """A line per field, since a record has more of them than a terminal has columns."""
    table = Table(
        "field", *(f"record {number + 1}" for number in range(min(EXAMPLES, len(seen["rows"])))), box=None
    )
    for column in seen["columns"]:
        table.add_row(column, *(str(row[column] or "–") for row in seen["rows"][:EXAMPLES]))
    return table
