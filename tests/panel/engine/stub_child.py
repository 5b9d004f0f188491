"""A child that speaks the protocol and does what the test says: `settings.play` names it.

Run as a script, never imported. It obeys the lifeline, except where the play is to be deaf.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

COUNTS = {"read": 3, "added": 3, "changed": 0, "unchanged": 0, "gone": 0, "rejected": 0, "duplicates": 0}
PARTITIONS = {"planned": 2, "done": 2, "failed": 0, "held": 0}
RECORDS = {"faculty": 3}


def say(kind: str, **fields: object) -> None:
    sys.stdout.write(json.dumps({"event": kind, "at": "2026-11-22T09:00:00Z", **fields}) + "\n")
    sys.stdout.flush()


def lifeline() -> None:
    sys.stdin.read()
    os._exit(70)


def close_books(spec: dict) -> None:
    sys.path.insert(0, os.getcwd())
    from fetchers.core.store import ledger, sql

    db = sql.connect(spec["database"])
    ledger.prepare(db)
    with db:
        ledger.check_fence(db, spec["epoch"])
        ledger.enter(
            db,
            run=spec["run"],
            epoch=spec["epoch"],
            kind="closing",
            outcome="success",
            counts=ledger.Counts(read=3, added=3),
            details={"partitions": PARTITIONS, "records": RECORDS},
        )
    db.close()


def hang() -> None:
    while True:
        time.sleep(60)


spec = json.loads(sys.stdin.readline())
play = spec["settings"]["play"]
if "attempts" in spec["settings"]:  # a play per attempt
    play = spec["settings"]["attempts"][min(spec["attempt"], len(spec["settings"]["attempts"])) - 1]
if play != "deaf":
    threading.Thread(target=lifeline, daemon=True).start()
if "marks" in spec["settings"]:
    Path(spec["settings"]["marks"], f"{spec['run']}.{spec['attempt']}").write_text(json.dumps(spec))
last = {"counts": COUNTS, "partitions": PARTITIONS, "records": RECORDS}

if play == "success":
    say("plan", parts=["campus=1", "campus=2"], resumed=["campus=2"], not_due=["campus=3"])
    say(
        "progress",
        counts={**COUNTS, "read": 1},
        partitions={"planned": 2, "done": 0, "failed": 0, "held": 0},
        staged=1,
        waiting=None,
    )
    say("log", level="info", message="hello")
    say("drift", stream="students", change="added", fields=["mobile"])
    say("drift", stream="students", change="ignored", fields=["ستون"])
    say("partition", part="campus=1", state="done", counts=COUNTS, error=None, seconds=0.5)
    close_books(spec)
    say("result", **last)
elif play == "dry":
    say("result", **last)
elif play == "secret":
    sys.stderr.write(f"Traceback: the password is {spec['settings']['password']}\n")
    say("log", level="info", message=f"logging in with {spec['settings']['password']}")
    error = {
        "code": "E_AUTH",
        "message": "no",
        "params": {"host": spec["settings"]["password"]},
        "retryable": False,
    }
    say("partition", part="campus=1", state="failed", counts=None, error=error, seconds=0.1)
    say("error", **last, error=error)
    sys.exit(1)
elif play == "wrong_password":
    say(
        "error",
        **last,
        error={"code": "E_AUTH", "message": "no", "params": {"host": "gw"}, "retryable": False},
    )
    sys.exit(1)
elif play == "may_heal":
    say(
        "error",
        **last,
        error={"code": "E_SERVER", "message": "no", "params": {"status": 503}, "retryable": True},
    )
    sys.exit(1)
elif play == "held":
    say("held", **last, error={"code": "E_SHRUNK", "message": "", "params": {"gone": 9, "before": 10}})
    sys.exit(3)
elif play == "silent_death":
    os.kill(os.getpid(), signal.SIGKILL)
elif play == "no_result":
    sys.exit(0)
elif play == "result_without_ledger":
    say("result", **last)
elif play == "closes_then_dies":
    close_books(spec)
    os.kill(os.getpid(), signal.SIGKILL)
elif play == "closes_then_hangs":
    close_books(spec)
    say("log", level="info", message="published")
    hang()
elif play in ("hang", "deaf"):
    say("plan", parts=["campus=1"], resumed=[])
    hang()
elif play == "waits":
    say("plan", parts=["campus=1"], resumed=[])
    say(
        "progress",
        counts=COUNTS,
        partitions=PARTITIONS,
        staged=0,
        waiting={"reason": "rate_limited", "until": "2100-01-01T00:00:00Z"},
    )
    hang()
elif play == "ignores_term":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say("plan", parts=["campus=1"], resumed=[])
    hang()
elif play == "helper":
    for own_session in (False, True):  # one in our group, one that leaves it
        subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=own_session
        )
    say("plan", parts=["campus=1"], resumed=[])
    hang()
elif play == "flood":
    for number in range(5000):
        say("log", level="info", message=f"line {number}")
    say("result", **last)
elif play == "noise":
    print("this is no event")
    print(json.dumps(["neither", "this"]))
    say("result", **last)
else:
    sys.exit(f"no such play: {play}")
