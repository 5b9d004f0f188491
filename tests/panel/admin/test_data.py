"""The data browser: it finds people however their names are typed, and shows personal data to administrators."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core import registry
from fetchers.core.clean import Code, Text
from fetchers.core.fetcher import Fetcher, Label, stream
from fetchers.core.registry import Listing
from fetchers.core.store import sql
from panel import destination
from panel.config import Config
from tests.panel.admin.conftest import read

House = sessionmaker[Session]


def test_a_table_shows_the_fetcher_s_labels_in_the_reader_s_language(house: House, sara: FlaskClient) -> None:
    assert "Family name" in read(sara, "/data/faculty")
    persian = read(sara, "/data/faculty?lang=fa")
    assert "نام خانوادگی" in persian and "کیانی" in persian


@pytest.mark.parametrize("typed", ["کیانی", "كياني", "كيانى  سارا", "سارا کیانی"])
def test_a_name_is_found_with_arabic_letters_too(house: House, sara: FlaskClient, typed: str) -> None:
    page = read(sara, f"/data/faculty?search={typed}")
    assert "کیانی" in page and "یوسفی" not in page


def test_a_number_is_found_with_persian_digits(house: House, sara: FlaskClient) -> None:
    page = read(sara, "/data/Students?search=۴۰۰۱۱۰۰۲")
    assert "محمدی" in page and "کریمی" not in page


def test_a_student_s_terms_are_found_by_the_student(house: House, sara: FlaskClient) -> None:
    page = read(sara, "/data/student_terms?search=شریفی")
    assert "40011003" in page and "40011001" not in page


def test_a_search_that_finds_nothing_says_so_and_wildcards_are_plain_letters(
    house: House, sara: FlaskClient
) -> None:
    assert "Nothing found" in read(sara, "/data/faculty?search=نیست‌درجهان")
    assert "کیانی" in read(sara, "/data/faculty?search=%25"), "a mark alone is no word: all rows"


def test_personal_data_are_masked_for_all_but_administrators(
    house: House, sara: FlaskClient, reza: FlaskClient, maryam: FlaskClient
) -> None:
    for client in (sara, reza):
        page = read(client, "/data/faculty/row?id=1")
        assert "0084575948" not in page and "09121112233" not in page and "••••" in page
    page = read(maryam, "/data/faculty/row?id=1")
    assert "0084575948" in page and "09121112233" in page


def test_a_row_of_a_student_has_the_terms_below(house: House, sara: FlaskClient) -> None:
    page = read(sara, "/data/Students/row?studentnum=40011003")
    assert "Student terms" in page and "term=4042" in page
    page = read(sara, "/data/student_terms/row?codePardis=1110&term=4042&studentnum=40011003")
    assert "حقوق" in page


def test_rows_are_sorted_by_a_column_that_is_shown_and_by_nothing_else(
    house: House, sara: FlaskClient
) -> None:
    down = read(sara, "/data/faculty?sort=id&desc=1")
    assert down.index("یوسفی") < down.index("رضایی") < down.index("کیانی")
    for nonsense in ("sort=id;drop table faculty", "sort=nationalcode", "sort=folded"):
        page = read(sara, f"/data/faculty?{nonsense}")
        assert page.index("رضایی") < page.index("کیانی") < page.index("یوسفی"), "unknown or personal: by name"


def test_what_is_not_there_is_not_found(house: House, maryam: FlaskClient) -> None:
    for path in (
        "/data/users",
        "/data/_hamgam_search",
        "/data/sqlite_master",
        "/data/faculty/row",
        "/data/faculty/row?id=77",
        "/data/faculty/row?id=abc",
        "/data/faculty/row?id=99999999999999999999999",
    ):
        read(maryam, path, status=404)


def test_a_nonsense_page_is_a_plain_page(house: House, sara: FlaskClient) -> None:
    for query in ("page=100000000000000000000", "page=-3", "search=" + "x" * 3000):
        read(sara, f"/data/faculty?{query}")


def test_before_the_first_sync_the_page_says_what_to_do(sara: FlaskClient) -> None:
    assert "Nothing has been fetched into this table yet" in read(sara, "/data/faculty")


def test_reading_cannot_write(house: House, web_config: Config) -> None:
    with (
        destination.reader(web_config.data_database_url).connect() as connection,
        pytest.raises(OperationalError, match="readonly"),
    ):
        connection.exec_driver_sql("DELETE FROM faculty")


class Rooms(Fetcher):
    label = Label("اتاق‌ها", "Rooms")

    @stream(
        table="rooms",
        label=Label("اتاق‌ها", "Rooms"),
        primary_key=("building", "number"),
        fields={
            "building": Code(Label("ساختمان", "Building")),
            "number": Code(Label("شماره", "Number")),
            "name": Text(Label("نام", "Name")),
        },
        search=("name",),
    )
    def rooms(self):  # type: ignore[no-untyped-def]
        yield from ()


def test_a_third_fetcher_s_table_is_browsed_with_nothing_else_edited(
    house: House, sara: FlaskClient, web_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = registry.catalogue()
    monkeypatch.setattr(registry, "catalogue", lambda: {**whole, "rooms": Listing("rooms", Rooms)})
    db = sql.connect(web_config.data_database_url)
    db.execute("CREATE TABLE rooms (building TEXT, number TEXT, name TEXT, PRIMARY KEY (building, number))")
    db.execute("INSERT INTO rooms VALUES ('A', '12', 'کتابخانه'), ('B', '1', 'آزمایشگاه')")
    db.close()
    page = read(sara, "/data/rooms?lang=fa")
    assert "ساختمان" in page and "کتابخانه" in page and "آزمایشگاه" in page
    page = read(sara, "/data/rooms?search=كتابخانه")
    assert "کتابخانه" in page and "آزمایشگاه" not in page
    assert "آزمایشگاه" in read(sara, "/data/rooms/row?building=B&number=1")
