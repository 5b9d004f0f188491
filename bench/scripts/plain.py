"""A plain script, as an office would write it: requests, one page after the other, INSERT OR REPLACE."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import loopback  # noqa: F401 - watches this process
import requests
from order import COLUMNS, CREATE, Order, read


def records(order: Order) -> Iterator[list[dict[str, Any]]]:
    """Page after page of students, each record with the campus and term that were asked for."""
    with requests.Session() as session:
        answer = session.post(f"{order.url}/Login", json=order.login())
        answer.raise_for_status()
        session.headers["Authorization"] = f"Bearer {answer.json()['data']['token']}"
        for campus, term in order.parts:
            page = 0
            while True:
                page += 1
                body = order.question(campus, term, page)
                answer = session.post(f"{order.url}/API/Golestan/Students_2", json=body)
                answer.raise_for_status()
                data = answer.json()["data"]
                yield [
                    {**record, "codePardis": campus, "term": term}
                    for record in data
                    if record["studentnum"] is not None
                ]
                if len(data) < order.page_size:
                    break


def main() -> None:
    order = read()
    db = sqlite3.connect(order.database)
    db.execute(CREATE)
    marks = ", ".join(f":{column}" for column in COLUMNS)
    for page in records(order):
        with db:
            db.executemany(
                f"INSERT OR REPLACE INTO student_terms ({', '.join(COLUMNS)}) VALUES ({marks})", page
            )
    db.close()


if __name__ == "__main__":
    main()
