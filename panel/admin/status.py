"""The home page: the status table."""

from flask.typing import ResponseReturnValue
from flask_admin import AdminIndexView, expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_babel import ngettext
from flask_login import current_user

from panel import holidays
from panel.admin import base, gateway_lamps, show, sources
from panel.clock import utcnow
from panel.extensions import db
from panel.zones import TEHRAN


class StatusView(AdminIndexView):
    """Every source with its state and the next thing to do. Its rows move by themselves."""

    def __init__(self) -> None:
        super().__init__(name=lazy("Status"), url="/")

    def is_accessible(self) -> bool:
        return bool(current_user.is_authenticated)

    @expose("/")
    def index(self) -> ResponseReturnValue:
        return self.render("status.html", **self._table())

    @expose("/status/rows")
    def rows(self) -> ResponseReturnValue:
        """The rows alone, for the open page that asks again and again."""
        table = self._table()
        html = self.render("parts/source_rows.html", **table)
        announce = " · ".join(
            f"{one.label}: {show.STATUS_WORDS[one.run.status if one.run else None]}"
            for one in table["sources"]
        )
        lamps = [one.announced for one in table["gateways"] if one.announced]
        return base.fragment(html, active=table["active"], announce=" · ".join([announce, *lamps]))

    def _table(self) -> dict:
        now = utcnow()
        found = sources.sources(db.session(), base.config(), now)
        active = any(one.active for one in found)
        return {
            "sources": found,
            "active": active,
            "gateways": gateway_lamps.shown(db.session(), base.config(), now),
            "now": now,
            "seconds": base.ACTIVE_SECONDS if active else base.IDLE_SECONDS,
            "summary": _summary(found),
            "troubles": holidays.troubles(db.session(), now.astimezone(TEHRAN).date()),
        }


def _summary(found: list[sources.Source]) -> str:
    """The answer to "is all well?" in one sentence."""
    needs = [one for one in found if one.broken or one.missing or _needs_a_person(one)]
    if not found:
        return ""
    if needs:
        return _("%(n)s of %(all)s sources need you.", n=show.number(len(needs)), all=show.number(len(found)))
    active = sum(one.active for one in found)
    if active:
        return ngettext(
            "%(n)s source is being synced now.",
            "%(n)s sources are being synced now.",
            active,
            n=show.number(active),
        )
    in_step = sum(one.run is not None and one.run.status == "success" for one in found)
    if in_step == len(found):
        return _("All sources are in step.")
    if in_step:
        return _(
            "%(n)s of %(all)s sources are in step; press “Sync” beside the others.",
            n=show.number(in_step),
            all=show.number(len(found)),
        )
    return _("Press “Sync” beside a source to bring it in step.")


def _needs_a_person(one: sources.Source) -> bool:
    failed = one.run is not None and one.run.status == "failed"
    return failed or one.hold is not None or one.standing.needs_a_person
