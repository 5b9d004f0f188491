"""Where contestants write: an SQLite file each, or each a database of its own on a PostgreSQL server.

The server is the tests' one: what TEST_POSTGRES_URL names, else the default port on loopback. Nothing of it is touched
but the databases that are made here, and those are dropped again.
"""

import ipaddress
import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

SERVER = os.environ.get("TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")


class Database(Protocol):
    """A kind of database."""

    name: str  # as commands say it
    label: str

    def missing(self) -> str | None:
        """Why nothing can be written there, in a few words; None: it can."""

    @contextmanager
    def scratch(self, home: Path) -> Iterator[str]:
        """The address of an empty database that lives as long as this context."""

    def rest(self) -> None:
        """Let it write down what the contestant before has left to be written."""

    def version(self) -> str:
        """What it is, for the page."""


class Sqlite:
    """A file in the contestant's own folder."""

    name, label = "sqlite", "SQLite"

    def missing(self) -> None:
        """It is a part of Python."""

    @contextmanager
    def scratch(self, home: Path) -> Iterator[str]:
        """A file that is made by whoever writes first; it goes with its folder."""
        yield f"sqlite:///{home / 'students.db'}"

    def rest(self) -> None:
        """os.sync() does it, for files (bench/measure.py)."""

    def version(self) -> str:
        """Of the standard library's; apsw brings its own."""
        return f"SQLite {sqlite3.sqlite_version} (standard library)"


class Postgresql:
    """A database on the server, made and dropped."""

    name, label = "postgresql", "PostgreSQL"

    def __init__(self, server: str = SERVER) -> None:
        """server: `postgresql://…`, with a user who may create databases."""
        self._server = server

    def missing(self) -> str | None:
        """There is no server, or it is another machine's, or its user may not do what is needed."""
        host = urlsplit(self._server).hostname or ""
        if not _is_loopback(host):
            return "the PostgreSQL server of TEST_POSTGRES_URL is not on loopback"
        try:
            with psycopg.connect(self._server, connect_timeout=3) as server:
                may = server.execute(
                    "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
                )
                return None if may.fetchone() == (True,) else "its user may not create databases"
        except psycopg.OperationalError as error:
            words = str(error).strip().splitlines()[-1]
            return f"no PostgreSQL server: {words}"

    @contextmanager
    def scratch(self, home: Path) -> Iterator[str]:
        """A new database, dropped at the end with whoever is still connected to it."""
        name = f"hamgam_bench_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self._server, autocommit=True) as server:
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlsplit(self._server)._replace(path=f"/{name}").geturl()
        finally:
            with psycopg.connect(self._server, autocommit=True) as server:
                server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def rest(self) -> None:
        """A checkpoint, if this user may ask for one; else the server writes when it likes."""
        with psycopg.connect(self._server, autocommit=True) as server:
            may = server.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
            if may.fetchone() == (True,):
                server.execute("CHECKPOINT")

    def version(self) -> str:
        """The server's, and the settings that decide most."""
        with psycopg.connect(self._server) as server:
            found = [
                str(server.execute(f"SHOW {name}").fetchone()[0])
                for name in ("server_version", "shared_buffers", "fsync", "max_wal_size")
            ]
        return f"PostgreSQL {found[0]} (shared_buffers {found[1]}, fsync {found[2]}, max_wal_size {found[3]})"


def _is_loopback(host: str) -> bool:
    if host in ("localhost", ""):  # nothing: a socket in the file system
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


SQLITE, POSTGRESQL = Sqlite(), Postgresql()
ALL: tuple[Database, ...] = (SQLITE, POSTGRESQL)
