"""A sign of life to a watchdog outside, since whoever is dead cannot say so.

The engine that leads posts to an address that somebody else watches, in the manner of healthchecks.io
(healthchecks.io/docs/http_api): the address itself while all is well, with /fail behind it when a person is needed, and
nothing at all when engine, machine or network are dead. What is sent is the state, not what happened: nothing is lost
when a sign is, and a new engine goes on with the truth.

An address with `{source}` in it is one for each source, and one for the engine itself.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import structlog
import urllib3
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.wire.deadline import Deadlines, watched
from panel import lateness
from panel.clock import utcnow
from panel.config import SOURCE, Config
from panel.models import DataSync, SyncRun

ENGINE = "engine"  # the name of the sign that is no source's
CONNECT_SECONDS, ALL_SECONDS = 5.0, 10.0  # an engine that is asked to end waits no longer than that
PAUSES = (1.0, 5.0)  # seconds before a sign that did not arrive is sent again
FILE = "heartbeat.json"

log = structlog.get_logger("engine.heartbeat")


@dataclass(frozen=True)
class Sign:
    """What is posted. name: a source, or the engine. troubles: a sentence each; none while all is well."""

    name: str
    troubles: tuple[str, ...] = ()

    def address(self, url: str) -> str:
        """Where it is posted: /fail stands behind the path, before what is asked."""
        parts = urlsplit(url.replace(SOURCE, self.name))
        fail = "/fail" if self.troubles else ""
        return parts._replace(path=parts.path.rstrip("/") + fail).geturl()


@dataclass(frozen=True)
class Arrived:
    """How the last signs got on; kept in a file, where the doctor finds it. trouble: why one did not arrive."""

    at: str  # ISO 8601
    trouble: str | None = None


class Heartbeat:
    """Posts the signs of the engine that leads."""

    def __init__(self, config: Config, factory: sessionmaker[Session], go_on: Callable[[], bool]) -> None:
        """go_on: whether this engine leads and is not asked to end."""
        self._config, self._factory, self._go_on = config, factory, go_on
        self._deadlines = Deadlines()
        self._pool = watched(urllib3.PoolManager(retries=False))
        self._troubled = False  # whether that was said

    def beat(self) -> None:
        """Post a sign for everything that is watched. That one does not arrive is told once; the next comes anyway."""
        url = self._config.heartbeat_url
        if url is None or not self._go_on():
            return
        with self._factory() as session:
            signs = list(signs_of(session, utcnow(), each=SOURCE in url))
        trouble = None
        for sign in signs:
            if not self._go_on():
                return
            trouble = self._post(sign, url) or trouble
        if trouble is not None and not self._troubled:
            log.warning("a sign of life did not arrive", host=urlsplit(url).hostname, trouble=trouble)
        elif trouble is None and self._troubled:
            log.info("signs of life arrive again", host=urlsplit(url).hostname)
        self._troubled = trouble is not None
        _keep(self._config.instance / FILE, Arrived(utcnow().isoformat(timespec="seconds"), trouble))

    def _post(self, sign: Sign, url: str) -> str | None:
        """Post one sign, again after a pause where it did not arrive; why it did not in the end."""
        trouble = self._once(sign, url)
        for pause in PAUSES:
            if trouble is None or not self._go_on():
                break
            time.sleep(pause)
            trouble = self._once(sign, url)
        return trouble

    def _once(self, sign: Sign, url: str) -> str | None:
        # The address is a secret: whoever knows it can say that all is well. No error of the library is repeated.
        try:
            with self._deadlines.over(time.monotonic() + ALL_SECONDS) as watch:
                answer = self._pool.request(
                    "POST",
                    sign.address(url),
                    body="\n".join(sign.troubles).encode(),
                    headers={"Content-Type": "text/plain; charset=utf-8", "User-Agent": "hamgam"},
                    timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=ALL_SECONDS),
                    redirect=False,
                    preload_content=False,
                )
                answer.close()
                if watch.passed:  # a connection that was cut looks like headers that ended
                    return "no answer in time"
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return type(error).__name__
        return None if 200 <= answer.status < 300 else f"status {answer.status}"


def signs_of(session: Session, now: datetime, *, each: bool) -> Iterator[Sign]:
    """The signs that are due now. each: one for every source, and the engine's; else one for all together.

    A person is needed where a turn is overdue, data are stale, or something waits for a decision. A failed run alone
    needs nobody yet: the next one may heal it, and where none does, the data become stale.
    """
    found: dict[str, list[str]] = {}
    held = select(DataSync.key, SyncRun.id).join(SyncRun, SyncRun.sync_id == DataSync.id)
    for key, run in session.execute(held.where(SyncRun.status == "held", SyncRun.decision.is_(None))):
        found.setdefault(key, []).append(f"{key}: run {run} is held and waits for a decision")
    for sync, how in lateness.needing_a_person(session, now):
        found.setdefault(sync.key, []).extend(f"{sync.key}: {words}" for words in how.in_words(sync))
    if not each:
        yield Sign(ENGINE, tuple(line for lines in found.values() for line in lines))
        return
    yield Sign(ENGINE)
    for key in session.scalars(select(DataSync.key).order_by(DataSync.key)):
        yield Sign(key, tuple(found.get(key, ())))


def last(instance: Path) -> Arrived | None:
    """How the last signs got on; None where none was ever sent, or nobody can say."""
    try:
        return Arrived(**json.loads((instance / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _keep(path: Path, arrived: Arrived) -> None:
    with suppress(OSError):  # a full disk has its own alarm, and hinders no sign
        path.write_text(json.dumps(asdict(arrived)), encoding="utf-8")
