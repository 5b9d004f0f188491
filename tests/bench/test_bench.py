"""The benchmark itself: it measures real processes, and it does not believe a quick but wrong one."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from bench import race, report
from bench.check import RIGHT, Question, answer
from bench.contestants import HAMGAM, LIMIT, SCRIPTS, Contestant
from bench.measure import Cost
from bench.race import CHANGED, FIRST, SCENARIOS, UNCHANGED, Plan, Result

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
    """Hamgam, an honest script and several that are not, in a world of 300 rows."""
    folder = tmp_path_factory.mktemp("bench")
    script = folder / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    honest = Contestant(
        "honest", "honest", script, environment={"MANNER": "honest", "PYTHONPATH": str(SCRIPTS)}
    )
    contestants = [
        HAMGAM,
        honest,
        _like(honest, "forgetful"),
        _like(honest, "idle"),
        _like(honest, "chatty"),
        replace(honest, name="absent", label="absent", needs=("no_such_library",)),
    ]
    plan = Plan(rows=(300,), latencies=(0,), repeats=(1,), deadline=60, part_rows=100)
    yield list(race.run(plan, contestants, folder, lambda line: None))


def _like(one: Contestant, manner: str) -> Contestant:
    return replace(one, name=manner, label=manner, environment={**one.environment, "MANNER": manner})


def _of(results: list[Result], name: str, scenario: str) -> Result:
    return next(one for one in results if (one.contestant.name, one.scenario) == (name, scenario))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_hamgam_and_an_honest_script_are_measured_and_found_right(
    results: list[Result], scenario: str
) -> None:
    for name in ("hamgam", "honest"):
        result = _of(results, name, scenario)
        assert result.right, result
        assert result.cost is not None
        assert result.cost.seconds > 0 and result.cost.cpu > 0 and result.cost.peak > 1


def test_a_script_that_leaves_a_part_out_is_wrong(results: list[Result]) -> None:
    assert "student_terms has" in _of(results, "forgetful", FIRST).verdict


def test_a_script_that_does_nothing_is_wrong_once_something_has_changed(results: list[Result]) -> None:
    assert _of(results, "idle", FIRST).right
    assert _of(results, "idle", UNCHANGED).right
    assert _of(results, "idle", CHANGED).verdict == "3 of 3 changes have not arrived"


def test_a_script_that_calls_out_is_caught_though_it_hides_the_refusal(results: list[Result]) -> None:
    verdict = _of(results, "chatty", FIRST).verdict
    assert "failed (97)" in verdict and "beyond loopback: 192.0.2.1" in verdict
    assert not [one for one in results if one.contestant.name == "chatty" and one.scenario == UNCHANGED]


def test_a_missing_library_is_said_and_no_figure_made_up(results: list[Result]) -> None:
    absent = _of(results, "absent", FIRST)
    assert absent.cost is None
    assert absent.verdict == "not run: no_such_library is not installed"


def test_the_tables_name_what_is_wrong_and_what_was_not_run(results: list[Result]) -> None:
    page = report.markdown(results, Plan(rows=(300,), repeats=(1,)), date(2026, 11, 22))
    assert "| 300 | 0 ms | **Hamgam** |" in page
    assert "WRONG: student_terms has" in page
    assert "| 300 | 0 ms | absent | | | | | | | not run: no_such_library is not installed |" in page
    assert "not measured" in page  # no limit ran, so no target can have been met


def test_one_wrong_field_is_seen_where_every_field_counts(tmp_path: Path) -> None:
    row = {"codePardis": "1110", "term": "4051", "studentnum": "1", "city": "یزد"}
    (tmp_path / "truth").write_text(json.dumps(row) + "\n", encoding="utf-8")
    question = Question(
        str(tmp_path / "x.db"), {"student_terms": str(tmp_path / "truth")}, (1, 1), every_field=True
    )
    with sqlite3.connect(question.database) as db:
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


def test_targets_are_met_by_ratio_and_only_by_right_results() -> None:
    def one(contestant: Contestant, seconds: float, verdict: str = RIGHT) -> Result:
        cost = Cost(seconds, seconds, 50.0, 0, late=False, said="")
        return Result(UNCHANGED, 1000, 0, contestant, cost, verdict)

    def line(*results: Result) -> str:
        page = report.markdown(results, Plan(), date(2026, 11, 22))
        return next(line for line in page.splitlines() if line.startswith("| nothing changed"))

    assert "0.10× (1,000 rows, 0 ms), **met** |" in line(one(LIMIT, 1.0), one(HAMGAM, 0.1))
    assert "0.30× (1,000 rows, 0 ms), **not met everywhere** |" in line(one(LIMIT, 1.0), one(HAMGAM, 0.3))
    assert "**not met everywhere**" in line(one(LIMIT, 1.0), one(HAMGAM, 0.1, "2 keys do not exist in truth"))


def test_figures_are_written_between_the_markers_only(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")
    report.write(page, "new")
    report.write(page, "newer")
    assert page.read_text(encoding="utf-8") == f"before\n{report.BEGIN}\n\nnewer\n\n{report.END}\nafter\n"
    page.write_text("no markers", encoding="utf-8")
    with pytest.raises(ValueError, match="markers"):
        report.write(page, "new")
