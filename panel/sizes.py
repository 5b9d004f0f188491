"""How much there is of each thing that grows: where the room has gone, and whether retention keeps up."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import func, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from panel import backup, rehearsals
from panel.config import Config
from panel.destination import is_there, reader
from panel.finding import Finding
from panel.models import AuditEntry, RunLog, RunPartition, SyncRun


def look(session: Session, config: Config) -> Iterator[Finding]:
    """A line for each place."""
    runs, oldest = session.execute(select(func.count(), func.min(SyncRun.requested_at))).one()
    since = f" since {oldest:%Y-%m-%d}" if oldest is not None else ""
    parts, lines, entries = (_count(session, table) for table in (RunPartition, RunLog, AuditEntry))
    yield Finding(
        "sizes",
        "ok",
        f"control database: {_database(config.panel_database_url, session)}, {runs:,} runs{since}, {parts:,} parts and "
        f"{lines:,} lines of log of them, {entries:,} entries of the trail",
    )
    if (told := _data(config)) is not None:
        yield Finding("sizes", "ok", told)
    folders = {
        "backups": config.backups,
        "held rows": config.staging,
        "rehearsals": rehearsals.folder(config),
        "files of lists": config.instance / "exports",
        "logs": config.logs,
    }
    sizes = [f"{name} {_megabytes(size)}" for name, path in folders.items() if (size := _files(path))]
    if sizes:
        yield Finding("sizes", "ok", f"files: {', '.join(sizes)}")


def _data(config: Config) -> str | None:
    url = config.data_database_url
    try:
        if not is_there(url, "_hamgam_changes"):
            return None
        with reader(url).connect() as connection:
            size = (
                _on_disk(path)
                if (path := backup.sqlite_path(url)) is not None
                else int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)
            )
            told = [
                f"{connection.scalar(text(f'SELECT count(*) FROM {table}')) or 0:,} {words}"
                for table, words in (
                    ("_hamgam_changes", "lines of the change diary"),
                    ("_hamgam_rejected", "notes about records"),
                )
                if inspect(connection).has_table(table)
            ]
    except SQLAlchemyError:
        return None  # what is wrong with it is a finding of its own
    return f"data: {_megabytes(size)}, {', '.join(told)}"


def _database(url: str, session: Session) -> str:
    path = backup.sqlite_path(url)
    if path is not None:
        return _megabytes(_on_disk(path))
    return _megabytes(int(session.scalar(text("SELECT pg_database_size(current_database())")) or 0))


def _on_disk(path: Path) -> int:
    """A database's bytes, with what SQLite keeps beside it."""
    return sum(file.stat().st_size for ending in ("", "-wal") if (file := Path(f"{path}{ending}")).exists())


def _count(session: Session, table: type[RunPartition] | type[RunLog] | type[AuditEntry]) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0


def _files(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _megabytes(size: int) -> str:
    return f"{size / 1024**2:,.1f} MB"
