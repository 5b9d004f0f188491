"""The log on a run's page: what is new, what holds some words, and the whole as a file."""

import re
from datetime import timedelta

from flask.testing import FlaskClient
from sqlalchemy import insert
from sqlalchemy.orm import Session, sessionmaker

from panel.admin import run_log
from panel.clock import utcnow
from panel.db import writing
from panel.models import RunLog
from tests.panel.admin.conftest import read
from tests.panel.admin.test_run_pages import run_id

House = sessionmaker[Session]


def shown(page: str) -> list[str]:
    return re.findall(r'<div class="l-\w+"><span class="t">[^<]*</span>([^<]*)</div>', page)


def write(house: House, run: int, *messages: str) -> None:
    now = utcnow()
    with writing(house) as session:
        session.execute(
            insert(RunLog),
            [
                {"run_id": run, "at": now + timedelta(milliseconds=n), "level": "info", "message": message}
                for n, message in enumerate(messages)
            ],
        )


def test_only_lines_that_hold_the_words_are_shown(house: House, sara: FlaskClient) -> None:
    run = run_id(house, "running")
    page = read(sara, f"/runs/{run}?log=1113+FAILED")
    assert shown(page) == ["campus=1113,term=4051: failed"]
    assert 'name="log" value="1113 FAILED"' in page and f'data-log="/runs/{run}/log?log=1113+FAILED"' in page
    nothing = read(sara, f"/runs/{run}?log=nothing+of+the+kind")
    assert shown(nothing) == [] and "No line of this log holds these words." in nothing


def test_words_are_found_however_they_are_spelled(house: House, sara: FlaskClient) -> None:
    run = run_id(house, "failed")
    write(house, run, "درگاه نمي‌پذيرد ۵۰۳", "another")
    assert shown(read(sara, f"/runs/{run}?log=نمی‌پذیرد+503")) == ["درگاه نمي‌پذيرد ۵۰۳"]


def test_a_search_looks_through_all_of_the_log(house: House, sara: FlaskClient) -> None:
    run = run_id(house, "failed")
    write(house, run, "the needle", *(f"straw {n}" for n in range(run_log.LINES + 5)))
    page = read(sara, f"/runs/{run}")
    assert "the needle" not in shown(page) and f"The newest {run_log.LINES} lines" in page
    assert shown(read(sara, f"/runs/{run}?log=needle")) == ["the needle"]
    many = read(sara, f"/runs/{run}?log=straw")
    assert len(shown(many)) == run_log.LINES and shown(many)[-1] == f"straw {run_log.LINES + 4}"


def test_whoever_follows_a_search_is_not_told_twice_what_was_looked_at(
    house: House, sara: FlaskClient
) -> None:
    run = run_id(house, "running")
    last = int(re.findall(r'data-last="(\d+)"', read(sara, f"/runs/{run}?log=retry"))[0])
    write(house, run, "something else", "retry in 2 s", "and another thing")
    told = sara.get(f"/runs/{run}/log?log=retry&after={last}").json
    assert [line["message"] for line in told["lines"]] == ["retry in 2 s"]
    assert told["last"] == last + 3
    again = sara.get(f"/runs/{run}/log?log=retry&after={told['last']}").json
    assert again["lines"] == [] and again["last"] == told["last"] and again["ended"] is False


def test_the_file_has_every_line_in_utc_and_in_latin_digits(house: House, sara: FlaskClient) -> None:
    run = run_id(house, "failed")
    write(house, run, *(f"line {n}" for n in range(run_log.LINES + 5)), "two\nlines\u2028of <text>")
    answer = sara.get(f"/runs/{run}/log.txt?lang=fa")
    assert answer.mimetype == "text/plain" and answer.is_streamed
    assert answer.headers["Content-Disposition"] == f"attachment; filename=run-{run}.log"
    lines = answer.get_data(as_text=True).split("\n")
    assert lines.pop() == "" and len(lines) == run_log.LINES + 6
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info    line 0", lines[0], re.ASCII)
    assert lines[-1].endswith("info    two lines of <text>")


def test_there_is_no_file_of_a_run_that_there_is_not(house: House, sara: FlaskClient) -> None:
    for run in ("77777", "99999999999999999999999999"):
        read(sara, f"/runs/{run}/log.txt", status=404)


def test_the_switch_to_follow_is_there_while_the_run_is_active(house: House, sara: FlaskClient) -> None:
    assert 'id="log-follow"' in read(sara, f"/runs/{run_id(house, 'running')}")
    assert 'id="log-follow"' not in read(sara, f"/runs/{run_id(house, 'failed')}")
