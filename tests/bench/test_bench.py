"""The benchmark itself: it measures real processes, and it does not believe a quick but wrong one."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import psycopg
import pytest

from bench import race, report
from bench.check import RIGHT, Question, answer
from bench.contestants import HAMGAM, HAMGAM_POSTGRESQL, LIMIT, LIMIT_POSTGRESQL, SCRIPTS, Contestant
from bench.databases import Postgresql
from bench.measure import Cost
from bench.race import CHANGED, FIRST, SCENARIOS, UNCHANGED, Plan, Result, Size

# With the standard library alone, since the benchmark's own libraries need not be here.
SCRIPT = """
import json, os, sqlite3, socket, sys
import loopback
from urllib.request import Request, urlopen
from order import COLUMNS, CREATE, read

order, manner = read(), os.environ["MANNER"]
if manner == "chatty":
    try:
        socket.create_connection(("192.0.2.1", 443), 1)
    except OSError:
        manner = "honest"
if manner == "idle" and not order.first:
    sys.exit()

def ask(path, body, token=""):
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    with urlopen(Request(order.url + path, json.dumps(body).encode(), headers)) as answer:
        return json.load(answer)["data"]

token = ask("/Login", order.login())["token"]
db = sqlite3.connect(order.database)
db.execute(CREATE)
for campus, term in order.parts[1:] if manner == "forgetful" else order.parts:
    for record in ask("/API/Golestan/Students_2", order.question(campus, term, 1), token):
        if record["studentnum"] is not None:
            record.update(codePardis=campus, term=term)
            marks = ", ".join(f":{column}" for column in COLUMNS)
            db.execute(f"INSERT OR REPLACE INTO student_terms ({', '.join(COLUMNS)}) VALUES ({marks})", record)
db.commit()
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Result]]:
    """Hamgam on both databases, an honest script and several that are not, in a world of 300 rows."""
    folder = tmp_path_factory.mktemp("bench")
    script = folder / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    honest = Contestant(
        "honest", "honest", script, environment={"MANNER": "honest", "PYTHONPATH": str(SCRIPTS)}
    )
    contestants = [
        HAMGAM,
        HAMGAM_POSTGRESQL,
        honest,
        _like(honest, "forgetful"),
        _like(honest, "idle"),
        _like(honest, "chatty"),
        replace(honest, name="absent", label="absent", needs=("no_such_library",)),
        replace(honest, name="far", database=Postgresql("postgresql://postgres@192.0.2.1/postgres")),
        replace(
            honest,
            name="nowhere",
            label="nowhere",
            database=Postgresql("postgresql://postgres@127.0.0.1:1/postgres"),
        ),
    ]
    plan = Plan((Size(300, latencies=(0,)),), body=0, deadline=60, part_rows=100)
    yield list(race.run(plan, contestants, folder, lambda line: None))


def _like(one: Contestant, manner: str) -> Contestant:
    return replace(one, name=manner, label=manner, environment={**one.environment, "MANNER": manner})


def _of(results: list[Result], name: str, scenario: str, database: str = "sqlite") -> Result:
    return next(
        one
        for one in results
        if (one.contestant.name, one.scenario, one.contestant.database.name) == (name, scenario, database)
    )


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_hamgam_and_an_honest_script_are_measured_and_found_right(
    results: list[Result], scenario: str
) -> None:
    for name in ("hamgam", "honest"):
        result = _of(results, name, scenario)
        assert result.right, result
        assert result.cost is not None
        assert result.cost.seconds > 0 and result.cost.cpu > 0 and result.cost.peak > 1


@pytest.mark.postgres
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_hamgam_on_postgresql_is_measured_and_found_right(
    results: list[Result], postgres_server: str, scenario: str
) -> None:
    result = _of(results, "hamgam", scenario, "postgresql")
    assert result.right, result
    assert result.cost is not None and result.cost.seconds > 0


@pytest.mark.postgres
def test_no_database_of_the_benchmark_is_left_on_the_server(
    results: list[Result], postgres_server: str
) -> None:
    database = Postgresql(postgres_server)
    with psycopg.connect(postgres_server, autocommit=True) as server:

        def there(name: str) -> bool:
            found = server.execute("SELECT count(*) FROM pg_database WHERE datname = %s", (name,)).fetchone()
            return found == (1,)

        with pytest.raises(ZeroDivisionError), database.scratch(Path()) as address:
            name = address.rpartition("/")[2]
            assert there(name)
            raise ZeroDivisionError
        assert not there(name)


def test_a_server_that_is_not_here_is_said_and_one_that_is_elsewhere_is_not_asked(
    results: list[Result],
) -> None:
    assert _of(results, "nowhere", FIRST, "postgresql").verdict.startswith("not run: no PostgreSQL server: ")
    assert "is not on loopback" in _of(results, "far", FIRST, "postgresql").verdict


def test_a_script_that_leaves_a_part_out_is_wrong(results: list[Result]) -> None:
    assert "student_terms has" in _of(results, "forgetful", FIRST).verdict


def test_a_script_that_does_nothing_is_wrong_once_something_has_changed(results: list[Result]) -> None:
    assert _of(results, "idle", FIRST).right
    assert _of(results, "idle", UNCHANGED).right
    assert _of(results, "idle", CHANGED).verdict == "3 of 3 changes have not arrived"


def test_a_script_that_calls_out_is_caught_though_it_hides_the_refusal(results: list[Result]) -> None:
    verdict = _of(results, "chatty", FIRST).verdict
    assert "failed (97)" in verdict and "beyond loopback: 192.0.2.1" in verdict
    assert _of(results, "chatty", UNCHANGED).verdict == "not run: first load failed"


def test_a_missing_library_is_said_and_no_figure_made_up(results: list[Result]) -> None:
    absent = _of(results, "absent", FIRST)
    assert absent.cost is None
    assert absent.verdict == "not run: no_such_library is not installed"


def test_the_tables_name_what_is_wrong_and_what_was_not_run(results: list[Result]) -> None:
    page = report.markdown(results, Plan((Size(300, latencies=(0,)),), body=0), date(2026, 11, 22))
    assert "| 300 | 0 ms | SQLite | **Hamgam** |" in page
    assert "WRONG: student_terms has" in page
    assert "| 300 | 0 ms | SQLite | absent | | | | | | | not run: no_such_library is not installed |" in page
    assert "| 300 | 0 ms | PostgreSQL | nowhere | | | | | | | not run: no PostgreSQL server" in page
    assert "| SQLite | 0 ms | not measured |" in page  # no limit ran, so no target can have been met


@pytest.mark.slow
def test_a_whole_list_in_one_answer_is_measured_and_found_right(tmp_path: Path) -> None:
    results = list(race.run(Plan((), body=1, deadline=60), [HAMGAM], tmp_path, lambda line: None))
    assert [(one.scenario, one.right) for one in results] == [(scenario, True) for scenario in SCENARIOS]
    assert results[0].body == pytest.approx(1_000_000, rel=0.1)


def test_an_answer_that_hamgam_refuses_is_told_in_its_own_words_and_meets_no_target(tmp_path: Path) -> None:
    def one(scenario: str, cost: Cost | None, verdict: str) -> Result:
        return Result(scenario, 1234, 0, HAMGAM, cost, verdict, body=250_000_000)

    failed = Cost(1.0, 1.0, 50.0, 1, late=False, said="a traceback")
    refused = HAMGAM.trouble(failed, _said(tmp_path, "E_TOO_LARGE", "It is too large."))
    page = report.markdown(
        [
            one(FIRST, failed, f"failed (1): {refused}"),
            one(UNCHANGED, None, "not run: first load failed"),
            one(CHANGED, replace(failed, code=0, peak=400.0), RIGHT),
        ],
        Plan((), body=250),
        date(2026, 11, 22),
    )
    lines = [line for line in page.splitlines() if line.startswith("| 1,234 | 250 MB | SQLite |")]
    assert [line.partition(" SQLite | ")[2] for line in lines] == [
        "first load | | | | at most 400 MB, **not met** | failed (1): E_TOO_LARGE: It is too large. |",
        "nothing changed | | | | at most 400 MB, **not met** | not run: first load failed |",
        "1 % changed | 1.00 | 1.00 | 400 | at most 400 MB, met | right in every field |",
    ]


def _said(folder: Path, code: str, message: str) -> Path:
    output = folder / "out"
    event = {"event": "error", "error": {"code": code, "message": message}}
    output.write_text(json.dumps({"event": "plan"}) + "\n" + json.dumps(event) + "\n", encoding="utf-8")
    return output


def test_one_wrong_field_is_seen_where_every_field_counts(tmp_path: Path) -> None:
    row = {"codePardis": "1110", "term": "4051", "studentnum": "1", "city": "یزد"}
    (tmp_path / "truth").write_text(json.dumps(row) + "\n", encoding="utf-8")
    question = Question(
        f"sqlite:///{tmp_path / 'x.db'}", {"student_terms": str(tmp_path / "truth")}, (1, 1), every_field=True
    )
    with sqlite3.connect(tmp_path / "x.db") as db:
        db.execute("CREATE TABLE student_terms (codePardis, term, studentnum, city)")
        db.execute("INSERT INTO student_terms VALUES ('1110', '4051', '1', 'يزد')")
    assert answer(question) == "student_terms 1110/4051/1 differs in city"
    with db:
        db.execute("UPDATE student_terms SET city = 'یزد'")
    assert answer(question) == RIGHT
    with db:
        db.execute("INSERT INTO student_terms VALUES ('1110', '4051', '2', NULL)")
    assert answer(question) == "student_terms has 2 rows instead of 1"
    db.close()


def test_each_target_is_judged_by_database_and_size_and_only_by_right_results() -> None:
    def one(
        contestant: Contestant, seconds: float, verdict: str = RIGHT, rows: int = 1000, peak: float = 50.0
    ) -> Result:
        cost = Cost(seconds, seconds, peak, 0, late=False, said="")
        return Result(UNCHANGED, rows, 0, contestant, cost, verdict)

    def lines(*results: Result) -> list[str]:
        page = report.markdown(results, Plan(), date(2026, 11, 22))
        targets = page.split("### ")[0].splitlines()
        return [line for line in targets if line.startswith(("| nothing changed", "| peak"))]

    assert "| SQLite | 0 ms | 0.10×, met |" in lines(one(LIMIT, 1.0), one(HAMGAM, 0.1))[0]
    assert "| SQLite | 0 ms | 0.30×, **not met** |" in lines(one(LIMIT, 1.0), one(HAMGAM, 0.3))[0]
    strange = one(HAMGAM, 0.1, "2 keys do not exist in truth")
    assert "| SQLite | 0 ms | 0.10×, **wrong** |" in lines(one(LIMIT, 1.0), strange)[0]
    both = lines(
        one(LIMIT, 1.0), one(HAMGAM, 0.1), one(LIMIT_POSTGRESQL, 2.0), one(HAMGAM_POSTGRESQL, 0.8),
        one(LIMIT_POSTGRESQL, 9.0, rows=9000), one(HAMGAM_POSTGRESQL, 0.9, rows=9000, peak=90.0),
    )  # fmt: skip
    assert both[0].endswith("| SQLite | 0 ms | 0.10×, met | not measured |")
    assert both[1].endswith("| PostgreSQL | 0 ms | 0.40×, **not met** | 0.10×, met |")
    assert both[2].endswith("| SQLite | any | 50 MB, met | not measured |")
    assert both[3].endswith(
        "| PostgreSQL | any | 50 MB, met | 90 MB, **not met** |"
    )  # it grows with the table


def test_figures_are_written_between_the_markers_only(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")
    report.write(page, "new")
    report.write(page, "newer")
    assert page.read_text(encoding="utf-8") == f"before\n{report.BEGIN}\n\nnewer\n\n{report.END}\nafter\n"
    page.write_text("no markers", encoding="utf-8")
    with pytest.raises(ValueError, match="markers"):
        report.write(page, "new")
