"""Connections to a server that wait for the next page: used again, never when dead or in the middle of something."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy.exc import InternalError

from fetchers.core.errors import StorageError
from fetchers.core.store import postgres, reading
from fetchers.core.store.postgres import KeptReader, reader
from panel import destination

pytestmark = pytest.mark.postgres
MINE = "SELECT pg_backend_pid()"


@pytest.fixture
def url(postgres_destination: str) -> Iterator[str]:
    yield postgres_destination
    destination.let_go()


def pid(db: KeptReader) -> int:
    return int(db.execute(MINE).fetchone()[0])


def end_by_the_server(url: str, number: int) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as administrator:
        administrator.execute("SELECT pg_terminate_backend(%s)", (number,))


def test_who_looks_next_has_the_same_connection_and_two_at_once_have_two(url: str) -> None:
    first = reader(url)
    number = pid(first)
    second = reader(url)
    assert pid(second) != number
    first.close()
    second.close()  # one waits already
    assert second._db.closed and not first._db.closed
    assert reader(url) is first
    first.close()
    reading.let_go()
    assert first._db.closed


def test_one_that_the_server_has_ended_is_not_given_out(url: str) -> None:
    first = reader(url)
    number = pid(first)
    first.close()
    end_by_the_server(url, number)
    second = reader(url)
    assert second is not first and first._db.closed and pid(second) != number
    second.close()


def test_one_in_the_middle_of_a_transaction_does_not_wait_and_an_error_outside_of_one_does_no_harm(
    url: str,
) -> None:
    first = reader(url)
    first.execute("BEGIN")
    first.close()
    assert first._db.closed and url not in postgres._waiting
    second = reader(url)
    with pytest.raises(StorageError):
        second.execute("SELECT * FROM nowhere")
    second.close()
    assert reader(url) is second and pid(second)
    second.close()


def test_neither_kind_writes_whoever_begins_the_transaction(url: str) -> None:
    write = "CREATE TABLE mine (id INTEGER)"
    kept = reader(url)
    with pytest.raises(StorageError) as error:
        kept.execute(write)
    assert error.value.params["reason"] == "read_only"
    with pytest.raises(StorageError), kept:
        kept.execute(write)
    kept.close()
    with destination.reader(url).connect() as connection, pytest.raises(InternalError, match="read-only"):
        connection.exec_driver_sql(write)
    assert not destination.is_there(url, "mine")


def test_of_many_servers_the_oldest_goes(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "MOST_WAITING", 1)
    first, other = reader(url), reader(f"{url}?application_name=other")
    first.close()
    other.close()
    assert first._db.closed and not other._db.closed


def test_pages_ask_by_one_connection_and_notice_when_it_is_dead(url: str) -> None:
    def mine() -> int:
        with destination.reader(url).connect() as connection:
            return int(connection.exec_driver_sql(MINE).scalar_one())

    number = mine()
    assert mine() == number
    end_by_the_server(url, number)
    assert not destination.is_there(url, "nowhere")
    assert mine() != number


def test_of_many_addresses_the_one_used_longest_ago_is_let_go(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(destination, "MOST_READERS", 2)
    first, second = destination.reader(url), destination.reader("sqlite:////nowhere/1.db")
    assert destination.reader(url) is first  # so the other one is older by now
    destination.reader("sqlite:////nowhere/2.db")
    assert destination.reader(url) is first and destination.reader("sqlite:////nowhere/1.db") is not second
