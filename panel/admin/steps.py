"""The first steps: what there is to be asked, what is answered already, and where a person goes on.

Nothing is kept of them: a step is done when the house says so, so they can be left and taken up again at any time, by
somebody else too, and what was set in the forms counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_babel import ngettext
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from fetchers.core import registry
from panel import settings
from panel.admin import run_page, show, step_test
from panel.config import Config
from panel.models import Campus, DataSync, SyncRun

ADDRESS, USERNAME, PASSWORD, FIRST_TERM = "base_url", "username", "password", "first_term"
GATEWAY, LOGIN, TEST, CAMPUSES, TERM, REHEARSAL, SCHEDULE = (
    "gateway", "login", "test", "campuses", "first-term", "rehearsal", "schedule",
)  # fmt: skip
TITLES = {
    GATEWAY: lazy("Gateway address"),
    LOGIN: lazy("Login"),
    TEST: lazy("Test"),
    CAMPUSES: lazy("Campuses"),
    TERM: lazy("First term"),
    REHEARSAL: lazy("Rehearsal"),
    SCHEDULE: lazy("Schedule"),
}


@dataclass(frozen=True)
class Step:
    """One question. said: the answer in a few words, where it is done."""

    name: str
    title: Any
    done: bool
    said: str


@dataclass(frozen=True)
class House:
    """The sources that the steps are about: those whose fetcher works, by key."""

    syncs: Sequence[DataSync]
    values: dict[int, settings.Resolved]

    @property
    def gateway(self) -> DataSync | None:
        """A source behind the gateway whose address and login are asked for; what it is told, its sharers are too."""
        return next((sync for sync in self.syncs if self.declares(sync, ADDRESS)), None)

    @property
    def behind(self) -> list[DataSync]:
        """Every source of that gateway."""
        return [] if self.gateway is None else [sync for sync in self.syncs if self.declares(sync, ADDRESS)]

    @property
    def with_terms(self) -> list[DataSync]:
        """The sources that are told a first term."""
        return [sync for sync in self.syncs if FIRST_TERM in settings.declared(sync)]

    @property
    def ready(self) -> list[DataSync]:
        """The sources of which nothing is missing, not even on a list."""
        return [sync for sync in self.syncs if not self.values[sync.id].problems and not self._listless(sync)]

    @property
    def needs_campuses(self) -> bool:
        return any(_lists(sync) for sync in self.syncs)

    def value(self, sync: DataSync | None, name: str) -> Any:
        """A setting as a run gets it; for a secret: only for asking whether it is there."""
        return None if sync is None else self.values[sync.id].values.get(name)

    def declares(self, sync: DataSync, name: str) -> bool:
        info = settings.declared(sync).get(name)
        return info is not None and bool(settings.extra(info).get("env"))

    def _listless(self, sync: DataSync) -> bool:
        return any(not self.value(sync, name) for name in _lists(sync))


def _lists(sync: DataSync) -> list[str]:
    """The settings of a source that the panel fills from its list of campuses."""
    declared = settings.declared(sync)
    return [name for name, info in declared.items() if settings.extra(info).get("filled_from") == "campuses"]


def house(session: Session, config: Config) -> House:
    """Every source that works."""
    found = [
        sync
        for sync in session.scalars(select(DataSync).order_by(DataSync.key))
        if registry.load(sync.fetcher).fetcher is not None
    ]
    return House(found, {sync.id: settings.resolved(sync, session, config) for sync in found})


def steps(it: House, session: Session, config: Config) -> list[Step]:
    """The questions that these sources need, in order."""
    found = []
    if it.gateway is not None:
        address, name = it.value(it.gateway, ADDRESS), it.value(it.gateway, USERNAME)
        password = bool(it.value(it.gateway, PASSWORD))
        found += [
            Step(GATEWAY, TITLES[GATEWAY], bool(address), str(address or "")),
            Step(LOGIN, TITLES[LOGIN], bool(address and name and password), str(name or "")),
            _test(it, session, config),
        ]
    if it.needs_campuses:
        count = len(settings.active_campuses(session))
        said = ngettext("%(n)s campus", "%(n)s campuses", count, n=show.number(count)) if count else ""
        found.append(Step(CAMPUSES, TITLES[CAMPUSES], bool(count), said))
    rehearsed = newest(session, SyncRun.status == "success")
    if it.with_terms:
        chosen = [one for one in it.with_terms if it.values[one.id].origins.get(FIRST_TERM) != "default"]
        term = str(it.value(it.with_terms[0], FIRST_TERM) or "")
        found.append(Step(TERM, TITLES[TERM], bool(chosen or rehearsed), term))
    said = ""
    if rehearsed is not None:
        read = run_page.counts(rehearsed, session)[0][2]
        said = _("%(n)s records were read", n=show.number(read))
    found.append(Step(REHEARSAL, TITLES[REHEARSAL], rehearsed is not None, said))
    due = [sync.next_run_at for sync in it.syncs if sync.schedule_kind != "off" and sync.next_run_at]
    found.append(Step(SCHEDULE, TITLES[SCHEDULE], bool(due), show.due(min(due)) if due else ""))
    return found


def _test(it: House, session: Session, config: Config) -> Step:
    """Tested, as long as address and login are those of the test; or proved by a run."""
    kept = step_test.kept(it, config)
    if kept is not None:
        return Step(TEST, TITLES[TEST], kept.answer.ok, _("the gateway accepts the login"))
    behind = [sync.id for sync in it.behind]
    proved = newest(session, SyncRun.status == "success", SyncRun.sync_id.in_(behind))
    return Step(TEST, TITLES[TEST], proved is not None, "")


def newest(session: Session, *where: ColumnElement[bool]) -> SyncRun | None:
    """The newest run of this kind, rehearsals too."""
    return session.scalars(select(SyncRun).where(*where).order_by(SyncRun.id.desc()).limit(1)).first()


def after(found: Sequence[Step], name: str) -> str | None:
    """The step behind one of them; None where it is the last."""
    names = [step.name for step in found]
    place = names.index(name) + 1
    return names[place] if place < len(names) else None


def undone(found: Sequence[Step]) -> Step | None:
    """Where a person goes on."""
    return next((step for step in found if not step.done), None)


def is_new(session: Session, *, any_complete: bool) -> bool:
    """Whether nothing is set up yet, so that pages point here: no source is complete and has run or will.

    any_complete: whether the settings of some source are.
    """
    if not any_complete:
        return True
    begun = select(DataSync.id).where((DataSync.status.is_not(None)) | (DataSync.schedule_kind != "off"))
    return session.scalar(begun.limit(1)) is None


def campuses(session: Session) -> list[Campus]:
    """The list as it stands, those that are fetched first."""
    return list(session.scalars(select(Campus).order_by(Campus.active.desc(), Campus.pardis_code)))
