"""A letter to whoever keeps a gateway: what was asked and when, what came, how often. To be copied, never sent by us.

    of_run, of_gateway ─► Facts ─► write

It holds the address without what could be a key, and the gateway's own words and ids as the run keeps them: no login,
no token, no record.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fetchers.core import registry
from fetchers.core.clean.jalali import to_jalali
from fetchers.core.wire import gateway
from panel import explain, persian, settings
from panel.causes import FACES, answer
from panel.causes import gateway as way
from panel.causes.cause import N_
from panel.config import Config
from panel.gateways import Gateway
from panel.models import RunPartition, SyncRun
from panel.version import VERSION
from panel.words import translator

LANGUAGES = ("fa", "en")
PARTIAL = "E_PARTIAL"
# What a gateway's support team can do something about; and of these codes, what is the matter of other people.
_KEEPERS = {key.partition(":")[0] for key in (*way.CAUSES, *answer.CAUSES)} | {"E_STALLED", "E_SHRUNK"}
_OTHERS = {
    "E_CONNECT:network", "E_CONNECT:dns", "E_CONNECT:dns_down", "E_TIMEOUT:name", "E_TIMEOUT:run", "E_SCHEMA:refused",
}  # fmt: skip
_KEY = re.compile(r"[^/]{25,}|\d{8,}")  # in a path: what may be one
_LONG_NUMBER = re.compile(r"\d{8,}")  # may be a person's
_HIDDEN = "--------"


@dataclass(frozen=True)
class Facts:
    """What a letter is about. at: when it was met; since: when the first of so many was; good: the last good one."""

    origin: str  # of the gateway: scheme, host and port
    path: str  # that was asked; "" where that is not known
    sources: tuple[str, ...]  # keys of fetchers
    code: str
    params: Mapping[str, Any]
    at: datetime
    since: datetime | None = None
    good: datetime | None = None
    run: int | None = None  # None: of the gateway, whoever asked it
    part: str = ""
    parts: tuple[int, int] | None = None  # failed for this reason, planned
    times: int = 1  # runs, or requests, in a row


def is_about_the_gateway(run: SyncRun) -> bool:
    """Whether a run failed by something on the way to the gateway, or by what came from there."""
    codes = (run.error_params or {}).get("codes") if run.error_code == PARTIAL else [run.error_code]
    return run.status == "failed" and not _KEEPERS.isdisjoint(codes or ())


def is_for_keeper(run: SyncRun) -> bool:
    """Whether a run ended by something that the gateway's support team can do something about."""
    if run.status not in ("failed", "held") or run.error_code is None:
        return False
    params = run.error_params or {}
    return bool(_codes(params)) if run.error_code == PARTIAL else _concerns(run.error_code, params)


def of_run(session: Session, run: SyncRun, config: Config) -> Facts | None:
    """What to write about a run; None where it is not the keeper's matter, or the source has no gateway."""
    if not is_for_keeper(run):
        return None
    origin = _origin(run, config)
    code, params, part, failed = _worst(session, run)
    if origin is None or not _concerns(code, params):
        return None
    times, since, good = _history(session, run)
    return Facts(
        origin=origin,
        path=str(params.get("path", "")),
        sources=(run.sync.fetcher,),
        code=code,
        params=params,
        at=run.finished_at or run.requested_at,
        since=since,
        good=good,
        run=run.id,
        part=part,
        parts=(failed, run.partitions_planned) if failed and run.partitions_planned else None,
        times=times,
    )


def of_gateway(one: Gateway, now: datetime) -> Facts | None:
    """What to write about a gateway whose lamp is not green; None where it is, or the reason is not its keeper's."""
    lamp = one.lamp
    if lamp.kind not in ("down", "failing") or lamp.cause is None:
        return None
    if not _concerns(lamp.cause.code, lamp.cause.params):
        return None
    return Facts(
        origin=one.address,
        path="",
        sources=one.sources,
        code=lamp.cause.code,
        params=lamp.cause.params,
        at=now,
        since=lamp.since,
        good=lamp.answered_at,
        times=lamp.failures,
    )


def write(facts: Facts, language: str) -> str:
    """The letter, ready to be copied."""
    say = translator(language)
    lines = [f"{say(label)}: {value}" for label, value in _told(facts, language, say) if value]
    return "\n".join(
        [
            say(N_("Subject: Problem with the gateway service at {origin}")).format(origin=facts.origin),
            "",
            say(N_("Dear colleague,")),
            "",
            say(
                N_(
                    "Our university reads data from this gateway with the program Hamgam, which only reads and "
                    "changes nothing there. It ran into the problem below. Please look into it and let us know "
                    "what you find."
                )
            ),
            "",
            *lines,
            "",
            say(N_("Thank you.")),
            say(N_("Name and telephone number:")),
        ]
    )


def _told(facts: Facts, language: str, say: Callable[[str], str]) -> list[tuple[str, str]]:
    """Label and value of each line; an empty value leaves it out."""
    params = {
        name: explain.figure(name, value, language) if isinstance(value, int | float) else value
        for name, value in facts.params.items()
    }
    params["said"] = said = _LONG_NUMBER.sub(_HIDDEN, explain.plain(facts.params.get("said", "")))[:120]
    what = explain.in_language(language, facts.code, params).what
    faces = ", ".join(str(facts.params[name]) for name in FACES if name in facts.params)
    apart = explain.apart_in_line if language == "fa" else str
    listing = [registry.load(key).label(language) for key in facts.sources]
    program = say(N_("Hamgam {version}, run {run}")) if facts.run else say(N_("Hamgam {version}"))
    return [
        (N_("What happened"), what),
        (N_("Address that was asked"), apart(facts.origin + _KEY.sub(_HIDDEN, facts.path))),
        (N_("Requested data"), ("، " if language == "fa" else ", ").join(listing)),
        (N_("Part"), _part(facts.part, language, say)),
        (N_("Time it happened"), _moment(facts.at, language, say)),
        (N_("HTTP status"), str(facts.params.get("status", ""))),
        (N_("What the gateway said"), "" if said in what else said),
        (N_("Id of the request"), apart(explain.plain(facts.params.get("trace", "")))),
        (N_("Error code"), apart(f"{facts.code} ({faces})" if faces else facts.code)),
        (N_("So far"), _how_often(facts, language, say)),
        (N_("Since"), _moment(facts.since, language, say)),
        (
            N_("Last good run") if facts.run else N_("Last good answer"),
            _moment(facts.good, language, say) or say(N_("never so far")),
        ),
        (N_("Our program"), program.format(version=VERSION, run=persian.digits(facts.run, language))),
    ]


def _how_often(facts: Facts, language: str, say: Callable[[str], str]) -> str:
    times = persian.number(facts.times, language)
    if facts.run is None:
        return say(N_("{n} requests in a row")).format(n=times)
    told = (
        say(N_("{n} runs in a row")).format(n=times) if facts.times > 1 else say(N_("this is the first time"))
    )
    if facts.parts is None:
        return told
    failed, planned = (persian.number(one, language) for one in facts.parts)
    parts = say(N_("in this run {failed} of {planned} parts")).format(failed=failed, planned=planned)
    return ("؛ " if language == "fa" else "; ").join((told, parts))


def _moment(at: datetime | None, language: str, say: Callable[[str], str]) -> str:
    """A moment for both sides of the telephone: by the Jalali calendar in Tehran, and in UTC as logs have it.

    The reader's own calendar first.
    """
    if at is None:
        return ""
    here = persian.tehran(at)
    told = say(N_("{moment} in Tehran")).format(
        moment=persian.digits(f"{to_jalali(here)} {here:%H:%M}", language)
    )
    utc = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    # On a line of its own a narrow page does not break the date at its hyphens.
    return f"{told}\n({explain.apart_in_line(utc)})" if language == "fa" else f"{utc} ({told})"


def _part(part: str, language: str, say: Callable[[str], str]) -> str:
    """campus=1110,term=4051 in words, the codes as they are."""
    words = {"campus": say(N_("campus")), "term": say(N_("term"))}
    pairs = [pair.partition("=") for pair in part.split(",") if pair]
    comma = "، " if language == "fa" else ", "
    return comma.join(f"{words.get(name, name)} {value}" for name, _eq, value in pairs)


def _codes(params: Mapping[str, Any]) -> list[str]:
    """Of the codes of a run's failed parts, those that concern the keeper."""
    return [str(code) for code in params.get("codes") or () if _concerns(str(code), {})]


def _concerns(code: str, params: Mapping[str, Any]) -> bool:
    faces = {f"{code}:{params[name]}" for name in FACES if name in params}
    return code in _KEEPERS and not faces & _OTHERS


def _origin(run: SyncRun, config: Config) -> str | None:
    found = settings.known(run.sync.fetcher, run.sync.settings, config, "base_url")
    try:
        return gateway.key_of(str(found.get("base_url") or ""))
    except ValueError:
        return None


def _worst(session: Session, run: SyncRun) -> tuple[str, dict[str, Any], str, int]:
    """The run's error; of one that failed in part, the most frequent of its parts: code, params, part, how many."""
    if run.error_code != PARTIAL:
        return str(run.error_code), dict(run.error_params or {}), "", run.partitions_failed
    failed = (RunPartition.run_id == run.id, RunPartition.state == "failed")
    counted = session.execute(
        select(RunPartition.error_code, func.count())
        .where(*failed, RunPartition.error_code.in_(_KEEPERS))
        .group_by(RunPartition.error_code)
        .order_by(func.count().desc(), RunPartition.error_code)
        .limit(1)
    ).first()
    if (
        counted is None or counted[0] is None
    ):  # the parts are not kept any more; the run says which codes they had
        return _codes(run.error_params or {})[0], {}, "", 0
    first = session.scalars(
        select(RunPartition)
        .where(*failed, RunPartition.error_code == counted[0])
        .order_by(RunPartition.position)
        .limit(1)
    ).one()
    return counted[0], dict(first.error_params or {}), first.part, counted[1]


def _history(session: Session, run: SyncRun) -> tuple[int, datetime | None, datetime | None]:
    """How many runs have failed in a row up to this one, since when, and when the last good one ended."""
    earlier = (SyncRun.sync_id == run.sync_id, SyncRun.id <= run.id, SyncRun.dry_run.is_(False))
    good = session.execute(
        select(SyncRun.id, SyncRun.finished_at)
        .where(*earlier, SyncRun.status == "success", SyncRun.mode.in_(("incremental", "full")))
        .order_by(SyncRun.id.desc())
        .limit(1)
    ).first()
    times, since = session.execute(
        select(func.count(), func.min(SyncRun.finished_at)).where(
            *earlier, SyncRun.status == "failed", SyncRun.id > (good[0] if good else 0)
        )
    ).one()
    return max(times, 1), since if times > 1 else None, good[1] if good else None
