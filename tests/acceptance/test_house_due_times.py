"""Ten real minutes: each due time starts one run, whoever else is awake."""

from datetime import datetime, timedelta

import pytest

from tests.acceptance.house import until

DUE_TIMES = 10


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_due_times_with_three_web_workers_and_one_engine_start_ten_runs(build_house):
    house = build_house("--size", "tiny")
    house.environ["PANEL_WEB_WORKERS"] = "3"
    house.up()
    # The master, and its three.
    until(lambda: len(house.processes("wsgi:app")) == 4, "three web workers", 30)
    done = house.cli("schedule", "faculty", "--every", "1")
    assert done.returncode == 0, done.stderr

    def finished():
        [(count,)] = house.rows(
            "panel.db",
            "SELECT count(*) FROM sync_runs WHERE triggered_by = 'schedule' AND finished_at IS NOT NULL",
        )
        return count >= DUE_TIMES

    until(finished, f"{DUE_TIMES} scheduled runs", DUE_TIMES * 60 + 120)
    house.cli("schedule", "faculty", "--off")
    rows = house.rows("panel.db", "SELECT scheduled_for, status FROM sync_runs ORDER BY id")
    due = [datetime.fromisoformat(str(moment)) for moment, _ in rows]
    assert {status for _, status in rows} == {"success"}
    assert [later - earlier for earlier, later in zip(due, due[1:], strict=False)] == [
        timedelta(minutes=1)
    ] * (len(due) - 1)
    assert house.rows("panel.db", "SELECT count(*) FROM skipped_ticks") == [(0,)]
