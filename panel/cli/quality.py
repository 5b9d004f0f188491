"""quality: what is odd in the data."""

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from panel.cli.house import House, Refusal, sync_of
from panel.models import DataSync


@click.command()
@click.argument("key", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a list (or, with a key, one source) as JSON.")
@click.pass_obj
def quality(house: House, key: str | None, as_json: bool) -> None:
    """Count what is odd in the data of each source, by kind and campus. No value is printed."""
    from fetchers.core.errors import FetchError

    with house.sessions() as session:
        if key is not None:
            syncs = [sync_of(session, key)]
        else:
            syncs = list(session.scalars(select(DataSync).order_by(DataSync.key)))
        try:
            told = [_told(house, sync) for sync in syncs]
        except FetchError as error:
            raise Refusal(str(error)) from error
    if as_json:
        click.echo(json.dumps(told[0] if key is not None else told, ensure_ascii=False))
        return
    table = Table("source", "field", "what is odd", "how many", "of rows", "new", box=None)
    for source in told:
        for kind in source["kinds"]:
            share = (
                "rejected" if not kind["kept"] else "–" if kind["share"] is None else f"{kind['share']:.2%}"
            )
            table.add_row(
                source["sync"],
                kind["field"] or "–",
                kind["meaning"],
                f"{kind['notes']:,}",
                share,
                f"{kind['new']:,}" if kind["new"] else "–",
            )
    if table.row_count:
        Console().print(table)
    else:
        click.echo("Nothing odd was found in what is stored.")


def _told(house: House, sync: DataSync) -> dict[str, Any]:
    from panel import diary, quality

    newest = [sync.last_run.uuid] if sync.last_run is not None else []
    streams = diary.streams_by_source().get(sync.fetcher, [])
    return quality.to_dict(sync.key, quality.overview(house.config.data_database_url, streams, newest))
