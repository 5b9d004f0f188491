"""«مشکل از کجاست؟»: one login with the saved settings, and each step of its way as people read it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from markupsafe import Markup
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from panel import probe, settings, whose_fault
from panel.admin import settings_form, show
from panel.auth.locale import current
from panel.config import Config
from panel.models import AuditEntry, DataSync

ACTION = "connection_tested"  # in the trail
# Each test is a login: with a wrong password, many of them lock the account at the gateway.
A_MINUTE = 6
STATES = {
    whose_fault.WELL: ("success", "check", lazy("OK")),
    whose_fault.BROKEN: ("failed", "cross", lazy("Failed")),
    whose_fault.NOT_REACHED: ("none", "dash", lazy("Not tried")),
}


@dataclass(frozen=True)
class Step:
    """One step as the page shows it."""

    badge: Markup
    title: str
    sentence: str


@dataclass(frozen=True)
class Told:
    """The answer. `message`: all of it in a line; `steps` and what follows: only for who may know.

    whose: a key of whose_fault.VERDICTS.
    """

    ok: bool
    message: str
    steps: tuple[Step, ...] = ()
    todo: str = ""
    call: str = ""
    whose: str | None = None


def is_too_often(session: Session, now: datetime) -> bool:
    """Whether connections were tested so often in this minute that the gateway had better be left alone."""
    since = now - timedelta(minutes=1)
    asked = select(func.count()).where(AuditEntry.at > since, AuditEntry.action == ACTION)
    return (session.scalar(asked) or 0) >= A_MINUTE


def too_often() -> Told:
    return Told(False, _("The connection was tested several times just now. Try again in a minute."))


def look(sync: DataSync, resolved: settings.Resolved, config: Config, *, everything: bool) -> Told:
    """Log in once, and say where the way breaks. everything: as `told` has it."""
    wrong = settings_form.missing(sync, resolved, but_lists=True)
    if wrong:
        return Told(False, wrong) if everything else _no()
    answer = probe.check(sync.fetcher, resolved.values, config)
    address = str(resolved.values.get("base_url") or "")
    return told(answer, address, whose_fault.has_network(), everything=everything)


def told(answer: probe.ProbeResult, address: str, network: bool | None, *, everything: bool = True) -> Told:
    """What one login says, in words. everything: else a no is one sentence, whatever its reason.

    Who may not set the address need not learn what is behind it: no way to look around in somebody's network.
    """
    found = whose_fault.find(answer, address, network=network)
    if not everything:
        return Told(True, _("The gateway accepts the address and the login.")) if found.ok else _no()
    if found.ok:
        said = answer.message if current() == "en" else ""  # the fetcher's own sentence is English
        text = said or _("The gateway accepts the address and the login.")
        return Told(True, text, _steps(found, ""))
    why = show.explained(found.code, found.params)  # a test writes nothing: no word about the data
    verdict, call = whose_fault.VERDICTS[found.whose]
    if found.broken is None:
        return Told(False, f"{_(verdict)} {why.what}", todo=why.todo)
    return Told(False, _(verdict), _steps(found, why.what), why.todo, _(call), found.whose)


def _no() -> Told:
    return Told(
        False,
        _(
            "The gateway cannot be reached, or does not accept us. An administrator can see where the way breaks."
        ),
    )


def _steps(found: whose_fault.Finding, what: str) -> tuple[Step, ...]:
    return tuple(
        Step(
            show.badge(*STATES[state]),
            _(whose_fault.TITLES[step]),
            {whose_fault.WELL: _(whose_fault.SENTENCES[step]), whose_fault.BROKEN: what}.get(state, ""),
        )
        for step, state in found.steps
    )
