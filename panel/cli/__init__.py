"""The commands. Exit codes: 0 done, 1 the run failed, 2 wrong use or wrong configuration, 3 held."""

import click

from panel.cli import (
    calendar,
    campuses,
    decisions,
    move,
    preview,
    processes,
    quality,
    runs,
    schedule,
    settings,
    status,
    sync,
    undo,
    upkeep,
    users,
)
from panel.cli.house import Commands, House


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 the run failed, 2 wrong use, 3 held for a person's decision.",
)
@click.option(
    "--demo/--no-demo", default=None, help="Work in the demonstration's house (instance/demo), or not."
)
@click.pass_context
def main(context: click.Context, demo: bool | None) -> None:
    """Hamgam keeps a local database in step with the university's gateway.

    Begin with `python -m panel up`; it prints the address to open.
    """
    context.obj = House(demo)


for command in (
    processes.up,
    processes.web,
    processes.engine,
    sync.sync,
    preview.preview,
    status.status,
    quality.quality,
    runs.runs,
    runs.letter,
    runs.cancel,
    decisions.approve,
    decisions.reject,
    undo.undo,
    settings.set_,
    schedule.schedule,
    calendar.calendar,
    campuses.campuses,
    users.user,
    users.token,
    upkeep.backup,
    upkeep.restore,
    upkeep.migrate,
    move.move,
    upkeep.doctor,
):
    main.add_command(command)
