"""F45. A double click, the way back, a request that is sent again after its answer was lost."""

import json
import socket
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.house import until


def post(house, token: str, key: str) -> urllib.request.Request:
    return urllib.request.Request(
        f"{house.url}/api/v1/syncs/faculty/runs",
        data=b"{}",
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        },
    )


def ask(house, token: str, key: str) -> dict[str, object]:
    with urllib.request.urlopen(post(house, token, key), timeout=60) as answer:
        return json.loads(answer.read())


def ask_and_lose_the_answer(house, token: str, key: str) -> None:
    """The request goes out whole, and the connection is gone before a byte of the answer is read."""
    request = post(house, token, key)
    head = "".join(f"{name}: {value}\r\n" for name, value in request.header_items())
    with socket.create_connection(("127.0.0.1", house.port), timeout=30) as line:
        line.sendall(f"POST {request.selector} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}".encode())
        line.sendall(b"Content-Length: 2\r\n\r\n{}")


@pytest.mark.slow
def test_f45_a_lost_answer_a_double_request_and_a_double_click_make_one_run_each(build_house):
    """One run; the same run id is answered, also when it has ended."""
    house = build_house("--size", "tiny").up()
    token = house.token()

    def all_runs() -> list[tuple[int, str]]:
        return house.rows("panel.db", "SELECT id, status FROM sync_runs ORDER BY id")

    ask_and_lose_the_answer(house, token, "night-1")
    until(all_runs, "the run whose number nobody was told")
    until(lambda: all_runs() == [(1, "success")], "its end")
    again = ask(house, token, "night-1")
    assert (again["joined"], again["run"]["id"], again["run"]["status"]) == (True, 1, "success")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(house, token, "night-2"), range(8)))
    assert {answer["run"]["id"] for answer in answers} == {2}
    assert sorted(answer["joined"] for answer in answers) == [False, *[True] * 7]
    until(lambda: all_runs() == [(1, "success"), (2, "success")], "the second run's end")

    maryam = house.browser()
    with ThreadPoolExecutor(2) as pool:  # two clicks of one page; then back, and the page is asked for again
        list(pool.map(lambda _: maryam.post("/syncs/students/run"), range(2)))
    maryam.page("/")
    maryam.page("/runs/")
    assert [number for number, _ in all_runs()] == [1, 2, 3]
    until(lambda: all_runs()[-1] == (3, "success"), "the third run's end", 120)
