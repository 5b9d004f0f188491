"""Moving an installation from SQLite to PostgreSQL: the destination, the control database, or both.

Nothing runs meanwhile: `up` cannot start, no engine may lead, no run may be active, and nobody else can write into
the files. Each database is copied in one transaction of the new one, and compared there before it is committed: a
move that is killed has done nothing. The files are only read.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    create_engine,
    func,
    inspect,
    select,
    text,
    type_coerce,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.pool import NullPool
from sqlalchemy.types import JSON, UserDefinedType

from fetchers.core import registry
from fetchers.core.store.moving import (
    TELL_EVERY,
    CannotMove,
    Content,
    Copied,
    DestinationMove,
    Tell,
    check_target,
    unreachable,
)
from fetchers.core.store.reading import look_into, unreadable
from panel import db, migrations
from panel.config import Config
from panel.engine import lease
from panel.models import ACTIVE, Base, SyncRun
from panel.service import supervisor

ROWS_AT_ONCE = 1000


@dataclass
class Moved:
    """What was copied, and compared with its original."""

    data: list[Copied] = field(default_factory=list)
    panel: list[Copied] = field(default_factory=list)
    left: list[str] = field(default_factory=list)  # tables of other programs, which stay behind
    replaced: int = 0  # rows in which a NUL character was replaced, since PostgreSQL keeps none


def move(old: Config, new: Config, tell: Tell) -> Moved:
    """Copy what lies elsewhere in the new configuration. The control database of `old` has this version's schema.

    1. See that nothing runs here, and that nothing can begin.
    2. Copy the destination, then the control database, each in one transaction of the new database.
    3. Only when both are equal to their originals, commit both.

    Raises CannotMove, StorageError, or SQLAlchemy's DBAPIError.
    """
    moves_data = new.data_database_url != old.data_database_url
    moves_panel = new.panel_database_url != old.panel_database_url
    for moves, name, before, after in (
        (moves_data, "DATA_DATABASE_URL", old.data_database_url, new.data_database_url),
        (moves_panel, "PANEL_DATABASE_URL", old.panel_database_url, new.panel_database_url),
    ):
        if moves and not (_is_file(before) and not _is_file(after)):
            raise CannotMove(f"{name}: a move leads from SQLite to PostgreSQL.")
    done = Moved()
    with _nothing_runs(old) as control, ExitStack() as stack:
        data = stack.enter_context(_data(old, new)) if moves_data else None
        panel = stack.enter_context(ControlMove(control, new.panel_database_url)) if moves_panel else None
        if data is not None:
            done.data = data.copy(tell)
            done.left, done.replaced = data.left, data.replaced
        if panel is not None:
            done.panel = panel.copy(tell)
            done.left += panel.left
        if data is not None:
            data.commit()
        if panel is not None:
            panel.commit()
    return done


@contextmanager
def _nothing_runs(config: Config) -> Iterator[Connection]:
    """A connection to the control database, while nothing runs in this instance and nothing can begin."""
    try:
        alone = supervisor.alone(config)
        with alone, _control(config) as connection:
            yield connection
    except supervisor.CannotStart as error:
        raise CannotMove(str(error)) from error


@contextmanager
def _control(config: Config) -> Iterator[Connection]:
    engine = db.open_engine(config.panel_database_url)
    try:
        # On SQLite this also keeps every other writer out until the end.
        with db.intent_to_write(), engine.connect() as connection, connection.begin():
            with db.Session(connection) as session:
                leader = lease.holder(session)
                active = session.scalars(
                    select(SyncRun.id).where(SyncRun.status.in_(ACTIVE)).order_by(SyncRun.id)
                ).all()
            if leader is not None:
                raise CannotMove(f"An engine is at work (process {leader.pid}). Stop it first.")
            if active:
                numbers = ", ".join(map(str, active))
                raise CannotMove(f"Runs have not ended ({numbers}). Let them end, or cancel them.")
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _data(old: Config, new: Config) -> Iterator[DestinationMove]:
    source = look_into(old.data_database_url)
    if source is None:
        raise CannotMove(
            "There is no destination yet, so there is nothing to move: a first sync fills the new one."
        )
    try:
        source.hold_writers()  # type: ignore[attr-defined]
        streams = [
            stream
            for listing in registry.catalogue().values()
            if listing.fetcher is not None
            for stream in listing.fetcher.streams()
        ]
        with DestinationMove(source, new.data_database_url, streams) as opened:  # type: ignore[arg-type]
            yield opened
    except sqlite3.Error as error:
        raise unreadable(error) from error
    finally:
        source.close()


class ControlMove:
    """The control database's side. `with` opens the new one and its one transaction."""

    def __init__(self, source: Connection, address: str) -> None:
        self._source = source
        self._engine = create_engine(address, poolclass=NullPool)
        known = {*Base.metadata.tables, "alembic_version"}
        self.left = sorted(set(inspect(source).get_table_names()) - known)

    def __enter__(self) -> "ControlMove":
        """Open the new database. Raises CannotMove where it is not empty or cannot be used."""
        try:
            self._target = self._engine.connect()
        except OperationalError as error:
            raise CannotMove(unreachable("The server does not answer, or refuses the login.")) from error
        found = self._target.execute(
            text(
                "SELECT current_schema(), current_setting('server_encoding'), (SELECT count(*)"
                " FROM pg_tables WHERE schemaname = current_schema())"
            )
        ).one()
        try:
            check_target(*found)
        except CannotMove:
            self._target.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._target.close()
        self._engine.dispose()

    def copy(self, tell: Tell) -> list[Copied]:
        """Copy every table and compare it with its original. Raises CannotMove or DBAPIError."""
        migrations.migrate(self._target)
        later: list[tuple[Table, Column[Any]]] = []
        tables = Base.metadata.sorted_tables
        for place, table in enumerate(tables):
            # Two tables name each other's rows: such columns are filled once both are there.
            ahead = {*tables[place:]}
            postponed = [
                column
                for column in table.columns
                if any(key.column.table in ahead for key in column.foreign_keys)
            ]
            later += [(table, column) for column in postponed]
            self._insert(table, {column.name for column in postponed}, tell)
        for table, column in later:
            self._fill(table, column)
        for table in tables:
            self._number_on(table)
        return [self._compared(table) for table in tables]

    def commit(self) -> None:
        """From here on the new database holds everything. Raises DBAPIError."""
        self._target.commit()

    def _insert(self, table: Table, postponed: set[str], tell: Tell) -> None:
        rows = self._source.scalar(select(func.count()).select_from(table)) or 0
        tell(table.name, 0, rows)
        into = _as_written(table).insert()
        done = 0
        for batch in self._rows(self._source, table):
            values = [
                {name: None if name in postponed else value for name, value in row.items()} for row in batch
            ]
            try:
                self._target.execute(into, values)
            except DataError as error:  # its text may hold the value
                raise CannotMove(
                    f"A value in the table {table.name} does not fit its column in PostgreSQL."
                ) from error
            done += len(values)
            if not done % TELL_EVERY or done == rows:
                tell(table.name, done, rows)

    def _fill(self, table: Table, column: Column[Any]) -> None:
        key = list(table.primary_key.columns)
        found = self._source.execute(select(*key, column).where(column.is_not(None)))
        where = [one == bindparam(f"key_{one.name}") for one in key]
        names = [*(f"key_{one.name}" for one in key), "value"]
        statement = table.update().where(*where).values({column.name: bindparam("value")})
        for batch in found.partitions(ROWS_AT_ONCE):
            self._target.execute(statement, [dict(zip(names, row, strict=True)) for row in batch])

    def _number_on(self, table: Table) -> None:
        column = table.autoincrement_column
        if column is None:
            return
        sequence = func.pg_get_serial_sequence(table.name, column.name)
        newest = select(func.max(column)).scalar_subquery()
        self._target.execute(select(func.setval(sequence, newest)).where(newest.is_not(None)))

    def _compared(self, table: Table) -> Copied:
        before, after = (self._content(side, table) for side in (self._source, self._target))
        if before != after:
            raise CannotMove(
                f"The table {table.name} is not the same in both places ({before.rows} and {after.rows} rows)."
            )
        return Copied(table.name, before)

    def _content(self, side: Connection, table: Table) -> Content:
        content = Content()
        for batch in self._rows(side, table):
            for row in batch:
                content.add(tuple(row.values()))
        return content

    @staticmethod
    def _rows(side: Connection, table: Table) -> Iterator[list[Mapping[str, Any]]]:
        """All rows in batches; JSON as it is written, so that null and "null" stay apart."""
        found = side.execution_options(stream_results=True, yield_per=ROWS_AT_ONCE).execute(
            _as_stored(table, side.engine)
        )
        for batch in found.mappings().partitions(ROWS_AT_ONCE):
            yield [dict(row) for row in batch]


class _WrittenJson(UserDefinedType[str]):
    """JSON that is text already."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "JSON"


def _as_stored(table: Table, engine: Engine) -> Select[Any]:
    as_text = type_coerce if engine.dialect.name == "sqlite" else cast
    return select(
        *(
            as_text(column, Text).label(column.name) if isinstance(column.type, JSON) else column
            for column in table.columns
        )
    )


def _as_written(table: Table) -> Table:
    return Table(
        table.name,
        MetaData(),
        *(
            Column(column.name, _WrittenJson() if isinstance(column.type, JSON) else column.type)
            for column in table.columns
        ),
    )


def _is_file(url: str) -> bool:
    return make_url(url).get_backend_name() == "sqlite"
