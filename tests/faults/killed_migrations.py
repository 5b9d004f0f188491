"""Migrate installations, each in a process that is killed at another statement.

Run as a script: how the migration commits, then for each instance the number of the statement, a colon, and the
folder. It prints how each process ended: 0, or minus the signal; the first that comes to its end is the last. One
process imports everything once and forks.
"""

import os
import signal
import sys
from typing import Any

sys.path.insert(0, os.getcwd())

import alembic.command  # noqa: F401 - here, so that no fork has to
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import NullPool

from panel import migrations
from panel.config import load
from panel.engine import lease  # noqa: F401

ONE_TRANSACTION, EACH_BY_ITSELF = "one transaction", "each by itself"
# The first of these is the first step that could do harm.
WRITING = ("BEGIN IMMEDIATE", "SELECT pg_advisory", "CREATE", "ALTER", "DROP", "INSERT", "UPDATE")


class Mortal:
    """Counts the migration's statements, and its commit; dies before the one of this number."""

    def __init__(self, number: int) -> None:
        self._left = number
        self._began = False
        event.listen(Engine, "before_cursor_execute", self._statement)
        event.listen(Engine, "commit", self._commit)

    def _statement(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self._began = self._began or statement.lstrip().startswith(WRITING)
        self._step()

    def _commit(self, _connection: Any) -> None:
        self._step()

    def _step(self) -> None:
        if self._began:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def main(how: str, deaths: list[str]) -> None:
    if how == EACH_BY_ITSELF:

        def careless(url: str) -> Engine:
            return create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")

        migrations._engine = careless
    for death in deaths:
        number, _, instance = death.partition(":")
        if (pid := os.fork()) == 0:
            config = load({**os.environ, "PANEL_INSTANCE": instance})
            Mortal(int(number))
            migrations.upgrade(config, make_backup=False)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(code, flush=True)
        if code == 0:  # there are no more statements to die at
            return


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
