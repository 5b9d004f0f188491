"""The few calls behind which SQLite and PostgreSQL are the same, and what only a server can do."""

from collections.abc import Iterator
from contextlib import nullcontext

import psycopg
import pytest

from fetchers.core.errors import StorageError
from fetchers.core.load.publish import Publisher
from fetchers.core.store import sql
from fetchers.core.store.postgres import PostgresDestination
from tests.fetchers.core.conftest import PEOPLE, TERMS, House

COLUMNS, KEY = ("id", "name", "city"), ("id",)
FEW, MANY, LOTS = 3, 3 * sql.MANY_ROWS, sql.ROWS_AT_ONCE + 2 * sql.MANY_ROWS


def put(house: House, rows: list[tuple[int, str, str | None]]) -> None:
    with house.db:
        sql.put(house.db, "people", COLUMNS, KEY, rows)


def stored(house: House) -> list[tuple[object, ...]]:
    return house.rows("SELECT id, name, city FROM people ORDER BY id")


def people_of(city: str, number: int) -> list[tuple[int, str, str | None]]:
    return [(one, f'نام\t{one}\n\\N "{city}"', city if one % 2 else None) for one in range(number)]


@pytest.mark.parametrize("number", [FEW, MANY, LOTS])
def test_rows_are_put_over_those_of_their_keys_however_many_they_are(people: House, number: int) -> None:
    put(people, people_of("یزد", number))
    put(people, people_of("شیراز", number - 1))
    assert stored(people) == people_of("شیراز", number - 1) + people_of("یزد", number)[-1:]


@pytest.mark.parametrize("number", [FEW, MANY, LOTS])
def test_among_several_rows_of_one_key_the_last_one_counts(people: House, number: int) -> None:
    put(people, [*people_of("یزد", number), *people_of("تبریز", number)])
    assert stored(people) == people_of("تبریز", number)


def test_rows_are_put_twice_in_one_transaction(people: House) -> None:
    with people.db:
        sql.put(people.db, "people", COLUMNS, KEY, people_of("یزد", MANY))
        sql.put(people.db, "people", COLUMNS, KEY, [(1000 + one, "x", None) for one in range(MANY)])
        sql.put(people.db, "people", COLUMNS, KEY, people_of("قم", MANY))
    assert stored(people)[:MANY] == people_of("قم", MANY)
    assert len(stored(people)) == 2 * MANY


def test_what_is_put_is_taken_back_with_its_transaction_and_can_be_put_again(people: House) -> None:
    with pytest.raises(ZeroDivisionError), people.db:
        sql.put(people.db, "people", COLUMNS, KEY, people_of("یزد", MANY))
        raise ZeroDivisionError
    assert stored(people) == []
    put(people, people_of("کرمان", MANY))
    assert stored(people) == people_of("کرمان", MANY)


def test_questions_are_answered_in_their_order_and_none_is_an_answer_too(people: House) -> None:
    put(people, people_of("یزد", MANY))
    numbers = [5, MANY + 1, 0, 5, *range(sql.QUESTIONS_AT_ONCE)]
    found = sql.look_up(people.db, "SELECT id FROM people WHERE id = ?", [(number,) for number in numbers])
    assert list(found) == [(number,) if number < MANY else None for number in numbers]
    assert list(sql.look_up(people.db, "SELECT id FROM people WHERE id = ?", [])) == []


# -- a server alone -----------------------------------------------------------------------------------------


@pytest.fixture
def server(postgres_destination: str) -> Iterator[House]:
    house = House(postgres_destination, PEOPLE)
    yield house
    house.db.close()


def test_many_rows_go_by_way_of_a_temporary_table_and_few_do_not(server: House) -> None:
    def made() -> int:
        return sql.number(
            server.db,
            "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'",
        )

    put(server, people_of("یزد", FEW))
    assert made() == 0
    put(server, people_of("یزد", MANY))
    put(server, people_of("قم", MANY))
    assert made() == 1


def test_who_may_not_make_temporary_tables_stores_the_same(server: House) -> None:
    name = server.rows("SELECT current_database()")[0][0]
    role = f"{name}_poor"
    with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as administrator:
        administrator.execute(f'CREATE ROLE "{role}"')
        administrator.execute(f'REVOKE TEMPORARY ON DATABASE "{name}" FROM PUBLIC')
        administrator.execute(f'GRANT USAGE ON SCHEMA public TO "{role}"')
        administrator.execute(f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{role}"')
        try:
            server.db.execute(f'SET ROLE "{role}"')
            put(server, people_of("یزد", MANY))
            assert stored(server) == people_of("یزد", MANY)
        finally:
            server.db.execute("RESET ROLE")
            administrator.execute(f'DROP OWNED BY "{role}"')
            administrator.execute(f'DROP ROLE "{role}"')
            administrator.execute(f'GRANT TEMPORARY ON DATABASE "{name}" TO PUBLIC')


def test_a_part_that_goes_on_is_seen_by_nobody_until_it_is_finished_and_then_whole(
    postgres_destination: str,
) -> None:
    house = House(postgres_destination, TERMS, ceiling="4051")
    try:
        rows = [
            {"studentnum": f"40311{one:06}", "firstname": "رضا", "code_Markaz": "1110", "term": "4051"}
            for one in range(MANY)
        ]
        delta = house.compare(*rows, campus="1110", term="4051")
        publisher = Publisher(house.db, TERMS, run="run", epoch=1, ceiling="4051", waiting=nullcontext)
        assert publisher.publish(delta, wait=False)
        tables = ("student_terms", '"Students"', "_hamgam_partitions", "_hamgam_search")
        aside = sql.aside(house.db)
        assert aside is not house.db
        assert [sql.number(aside, f"SELECT count(*) FROM {table}") for table in tables] == [0, 0, 0, 0]
        sql.finish(house.db)
        assert sql.aside(house.db) is house.db
        assert [sql.number(aside, f"SELECT count(*) FROM {table}") for table in tables] == [
            MANY,
            MANY,
            1,
            MANY,
        ]
    finally:
        house.db.close()


def test_whatever_is_asked_next_waits_for_what_goes_on(server: House) -> None:
    db = server.db
    db.execute("BEGIN IMMEDIATE")
    with sql.committed(db, later=True):
        sql.insert_new_last(db, "people", COLUMNS, people_of("یزد", MANY))
    assert sql.goes_on(db)
    assert sql.number(db, "SELECT count(*) FROM people") == MANY
    assert not db.in_transaction


def test_an_error_in_what_goes_on_is_told_when_it_is_finished_and_nothing_of_it_stays(server: House) -> None:
    db = server.db
    db.execute("BEGIN IMMEDIATE")
    with sql.committed(db, later=True):
        db.execute("DELETE FROM people")
        sql.insert_new_last(db, "people", COLUMNS, [*people_of("یزد", MANY), (0, "again", None)])
    with pytest.raises(StorageError):
        sql.finish(db)
    assert not db.in_transaction
    assert stored(server) == []


def test_commits_in_passing_wait_for_no_disk_and_one_for_good_does(server: House) -> None:
    def waits() -> str:
        return str(server.rows("SHOW synchronous_commit")[0][0])

    assert isinstance(server.db, PostgresDestination)
    assert waits() == "on"
    sql.commit_in_passing(server.db)
    assert waits() == "off"
    with server.db:
        sql.commit_for_good(server.db)
        assert waits() == "on"
    assert waits() == "off"
