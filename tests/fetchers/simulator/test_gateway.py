"""How strict the gateway is, how it pages, and what goes wrong with it."""

import json
from collections import Counter

import pytest

from .conftest import content, rows

GOOD = {"codePardis": "1110", "term": "4051", "paging": {"pageNumber": 1, "pageSize": 10}, "Filter": {}}
STUDENTS = "/API/Golestan/Students_2"


@pytest.mark.parametrize(
    "change",
    [
        {"codePardis": 1110},
        {"term": 4051},
        {"term": "4054"},
        {"term": "14051"},
        {"Filter": None},
        {"paging": None},
        {"paging": {"pageNumber": 0, "pageSize": 10}},
        {"paging": {"pageNumber": 1}},
        {"paging": {"pageNumber": True, "pageSize": 10}},
    ],
)
def test_a_wrong_body_is_a_problem(inside, change):
    response = inside().post(STUDENTS, {**GOOD, **change})
    assert response.status == 400
    assert {"type", "title", "status", "errors", "traceId"} == set(content(response))


@pytest.mark.parametrize("missing", list(GOOD))
def test_every_key_is_needed(inside, missing):
    assert inside().post(STUDENTS, {k: v for k, v in GOOD.items() if k != missing}).status == 400


def test_keys_may_be_in_any_case(inside):
    assert len(rows(inside().post(STUDENTS, {k.upper(): v for k, v in GOOD.items()}))) == 10


def test_errors_come_in_all_their_shapes(inside):
    sim = inside()
    shapes = [type(content(sim.post(STUDENTS, {}))["errors"]) for _ in range(5)]
    assert shapes == [dict, list, str, dict, type(None)]


def test_what_is_no_json_is_refused(inside):
    sim = inside()
    assert sim.post(STUDENTS, b"{").status == 400
    assert sim.post(STUDENTS, [1]).status == 400
    assert sim.post(STUDENTS, GOOD, **{"content-type": "text/plain"}).status == 415
    assert sim.post("/API/Other", GOOD).status == 404


@pytest.mark.parametrize(("told", "status"), [(400, 400), (404, 404), (200, 200)])
def test_an_unknown_campus_is_answered_as_told(inside, told, status):
    response = inside(unknown_campus=told).students("9999", "4051")
    assert response.status == status
    if status == 200:
        assert rows(response) == []


def test_a_token_is_needed_and_ends(inside):
    sim = inside(token_life=0)
    refused = sim.students("1110", "4051")
    assert (refused.status, refused.body) == (401, b"")
    assert "invalid_token" in refused.headers["WWW-Authenticate"]
    assert sim.post(STUDENTS, GOOD, token="nonsense").status == 401


def test_a_token_can_be_good_for_one_request(inside):
    sim = inside(token_uses=1)
    assert [sim.faculty().status, sim.faculty().status] == [200, 401]


def test_tokens_can_be_revoked_in_the_middle(inside):
    sim = inside()
    assert sim.faculty().status == 200
    assert sim.tell("revoke") == {"revoked": 1}
    assert sim.faculty().status == 401
    sim.token = content(sim.login())["data"]["token"]
    assert sim.faculty().status == 200


def test_a_wrong_password_is_401_and_ten_of_them_are_enough(inside):
    sim = inside()
    assert [sim.login(password="wrong").status for _ in range(12)] == [401] * 10 + [429] * 2
    assert sim.login().status == 429
    assert sim.look("stats")["logins"]["bad"] == 10


def test_the_log_holds_no_secret(inside):
    sim = inside()
    token = content(sim.login())["data"]["token"]
    sim.post(STUDENTS, GOOD, token=token)
    log = json.dumps(sim.look("requests")) + json.dumps(sim.look("profile")) + json.dumps(sim.look("stats"))
    assert '"endpoint": "login"' in log
    assert "simulator" not in log
    assert token not in log


def test_the_log_can_be_read_from_a_point_on_and_cleared(inside):
    sim = inside()
    sim.students("1110", "4051", 2, 7)
    sim.faculty()
    first, second = sim.look("requests?since=0")
    assert (first["campus"], first["term"], first["page"], first["size"], first["rows"]) == (
        "1110",
        "4051",
        2,
        7,
        7,
    )
    assert sim.look(f"requests?since={first['n']}") == [second]
    sim.tell("requests", method="DELETE")
    assert sim.look("requests") == []


def test_requests_above_the_rate_are_turned_away(inside):
    sim = inside(rate_limit=0.001)
    first, second = sim.faculty(), sim.faculty()
    assert (first.status, second.status) == (200, 429)
    assert int(second.headers["Retry-After"]) > 0


# -- pages ------------------------------------------------------------------------------------------------


def test_pages_together_are_the_whole(inside):
    sim = inside(page_cap=0)
    whole = rows(sim.students("1810", "4051"))
    paged, number = [], 0
    while page := rows(sim.students("1810", "4051", number := number + 1, 7)):
        paged += page
    assert paged == whole


def test_a_page_is_capped_without_a_word(inside):
    sim = inside(page_cap=10)
    answer = content(sim.students("1110", "4051", 1, 1_000_000))
    assert len(answer["data"]) == 10
    assert answer["totalPages"] == -(-answer["totalCount"] // 10)


def test_a_gateway_that_knows_no_pages_gives_all_at_once_and_then_nothing(inside):
    sim = inside(whole=True)
    first, second = (content(sim.students("1810", "4051", number, 10)) for number in (1, 2))
    assert len(first["data"]) == first["totalCount"] > 20  # more than was asked for, and than the cap
    assert (first["totalPages"], second["data"]) == (1, [])


@pytest.mark.parametrize("totals", ["absent", "wrong"])
def test_totals_can_be_absent_or_wrong(inside, totals):
    sim = inside(totals=totals, page_cap=0)
    lies = 0
    for unit in sim.units():
        answer = content(sim.students(*unit))
        size = len(answer["data"])
        if totals == "absent":
            assert set(answer) == {"data"}
        lies += (answer.get("totalPages"), answer.get("totalCount")) != (1, size)
    assert lies == len(sim.units())


def test_the_same_bytes_come_each_time_while_nothing_changes(inside):
    sim = inside()
    assert sim.students("1110", "4051").body == sim.students("1110", "4051").body


# -- faults -----------------------------------------------------------------------------------------------


def _kinds(sim, readings):
    """Fault kind of each request, per unit in order."""
    for _ in range(readings):
        for unit in sim.units():
            sim.students(*unit)
    per_unit = {}
    for note in sim.look("requests"):
        per_unit.setdefault((note["campus"], note["term"]), []).append(note["fault"])
    return per_unit


def test_realistic_faults_come_at_their_rates_and_never_twice_in_succession(inside):
    per_unit = _kinds(inside(profile="realistic", size="small", faults={"outage": 0, "paging": 0}), 150)
    counts = Counter(kind for kinds in per_unit.values() for kind in kinds)
    total = counts.total()
    faults = total - counts[None]
    assert 0.018 < faults / total < 0.036
    assert 0.006 < counts["server_error"] / total < 0.014
    assert 0.003 < counts["throttled"] / total < 0.008
    for kinds in per_unit.values():
        assert not any(a and b for a, b in zip(kinds, kinds[1:], strict=False))


def test_hostile_faults_come_at_their_rates_and_an_empty_answer_never_twice(inside):
    per_unit = _kinds(inside(profile="hostile", size="small", faults={"outage": 0, "paging": 0}), 150)
    counts = Counter(kind for kinds in per_unit.values() for kind in kinds)
    total = counts.total()
    assert 0.2 < 1 - counts[None] / total < 0.3
    assert 0.06 < counts["server_error"] / total < 0.1
    assert 0.005 < counts["empty"] / total < 0.015
    in_succession = [(a, b) for kinds in per_unit.values() for a, b in zip(kinds, kinds[1:], strict=False)]
    assert ("empty", "empty") not in in_succession
    assert ("server_error", "server_error") in in_succession


def test_calm_means_calm(inside):
    per_unit = _kinds(inside(size="small"), 3)
    assert {kind for kinds in per_unit.values() for kind in kinds} == {None}


def test_faults_follow_from_the_seed_alone(inside):
    runs = [_kinds(inside(profile="hostile", size="small", seed=seed), 5) for seed in (4, 4, 5)]
    assert runs[0] == runs[1] != runs[2]


def test_a_rate_can_be_overridden_at_the_start_and_later(inside):
    sim = inside(faults={"server_error": 1.0})
    assert sim.students("1110", "4051").status >= 500
    sim.tell("profile", {"faults": {"html": 1.0}})
    answer = sim.students("1110", "4051")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "error" in sim.tell("profile", {"faults": {"nonsense": 1}})
    assert "error" in sim.tell("profile", {"profile": "stormy"})


def test_an_outage_passes_with_time_for_those_who_ask_seldom(inside):
    sim = inside(faults={"outage": 1}, outage_requests=1000, outage_seconds=1e-9)
    statuses = [sim.faculty().status for _ in range(130)]
    assert statuses.count(503) == 1


def test_an_outage_is_so_many_requests_long(inside):
    sim = inside(faults={"outage": 2}, outage_requests=6)
    statuses = [sim.faculty().status for _ in range(500)]
    assert statuses.count(503) == 12
    assert set(statuses) == {200, 503}


def test_broken_paging_persists_where_nothing_heals_and_heals_elsewhere(inside):
    def readings(profile):
        sim = inside(
            profile=profile, size="small", faults={"paging": 1.0, "outage": 0, **_quiet()}, totals="present"
        )
        unit = ("1810", "4051")
        return [_torn(sim, unit) for _ in range(6)]

    assert all(
        a is None or b is None for a, b in zip(readings("realistic"), readings("realistic")[1:], strict=False)
    )
    assert any(readings("realistic"))
    assert len(set(readings("hostile"))) == 1
    assert readings("hostile")[0]


def _quiet():
    return dict.fromkeys(
        (
            "unauthorized",
            "throttled",
            "server_error",
            "slow",
            "broken",
            "html",
            "error_body",
            "empty",
            "charset",
        ),
        0,
    ) | {"rename": 0}


def _torn(sim, unit):
    for page in (1, 2, 3):
        answer = sim.students(*unit, page, 100)
    note = sim.look("requests")[-1]
    return note["fault"] or ("totals" if content(answer)["totalCount"] != _whole(sim, unit) else None)


def _whole(sim, unit):
    return len(sim.gateway.pages.unit(unit))


@pytest.mark.parametrize("mode", ["repeat", "drift"])
def test_torn_pages_can_be_told_by_a_careful_reader(inside, mode):
    sim = inside(page_cap=0)
    for page in (1, 2, 3, 4):
        sim.tell("fault", {"kind": mode, "campus": "1810", "term": "4051", "page": page})
    total = _whole(sim, ("1810", "4051"))
    seen = [json.dumps(row) for page in (1, 2, 3, 4) for row in rows(sim.students("1810", "4051", page, 25))]
    assert len(set(seen)) < total
    assert len(set(seen)) < len(seen)


@pytest.mark.parametrize(
    ("kind", "status", "check"),
    [
        ("empty", 200, lambda r: json.loads(r.body)["data"] == []),
        ("half", 200, lambda r: 0 < len(json.loads(r.body)["data"]) < 20),
        ("html", 200, lambda r: b"<html" in r.body),
        ("null_data", 200, lambda r: json.loads(r.body)["data"] is None),
        ("cut", 200, lambda r: not r.body.endswith(b"}")),
        ("bom", 200, lambda r: r.body.startswith(b"\xef\xbb\xbf")),
        ("text_plain", 200, lambda r: r.headers["Content-Type"] == "text/plain"),
        ("cp1256", 200, lambda r: json.loads(r.body.decode("cp1256"))["data"]),
        ("cp1256_mislabelled", 200, lambda r: b"utf-8" in r.headers["Content-Type"].encode()),
        ("utf16", 200, lambda r: json.loads(r.body.decode("utf-16"))["data"]),
        ("rename", 200, lambda r: "studentnum" not in json.loads(r.body)["data"][0]),
        ("unauthorized", 401, lambda r: r.body == b""),
        ("throttled", 429, lambda r: True),
        ("server_error", 500, lambda r: b"<" in r.body),
        ("redirect", 302, lambda r: r.headers["Location"]),
        ("reset", 0, lambda r: r.manner == "reset"),
        ("short", 200, lambda r: r.manner == "short"),
        ("hang", 0, lambda r: r.manner == "silence"),
        ("drip", 200, lambda r: r.manner == "drip"),
    ],
)
def test_a_scripted_fault_strikes_its_unit_and_passes(inside, kind, status, check):
    sim = inside()
    sim.tell("fault", {"campus": "1110", "term": "4051", "kind": kind, "times": 1})
    usual = rows(sim.students("1110", "4042"))
    assert usual
    struck = sim.students("1110", "4051")
    assert struck.status == status
    assert check(struck)
    again = sim.students("1110", "4051")
    assert again.manner == "whole"
    assert len(rows(again)) == 30


def test_scripts_can_wait_last_and_say_anything(inside):
    sim = inside()
    sim.tell(
        "fault",
        {"kind": "status", "status": 429, "headers": {"Retry-After": "86400"}, "after": 1, "times": 2},
    )
    assert [sim.faculty().status for _ in range(4)] == [200, 429, 429, 200]
    sim.tell("fault", {"kind": "empty", "campus": "1110", "times": None})
    assert [rows(sim.students("1110", "4051")) for _ in range(5)] == [[]] * 5
    sim.tell("fault", method="DELETE")
    assert rows(sim.students("1110", "4051"))
    sim.tell("fault", {"endpoint": "login", "kind": "body", "body": {"data": {"token": None}}})
    assert content(sim.login()) == {"data": {"token": None}}
    assert "error" in sim.tell("fault", {"kind": "earthquake"})


def test_nonsense_through_the_control_address_is_refused_by_name(inside):
    sim = inside()
    assert "page_cap" in sim.tell("options", {"page_cap": "many"})["error"]
    assert "no such option" in sim.tell("options", {"weather": "fine"})["error"]
    assert "no such control" in sim.look("weather")["error"]
    assert sim.faculty().status == 200
