"""The home page: the status table."""

from functools import partial

from flask import abort, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import AdminIndexView, expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_babel import ngettext
from flask_login import current_user

from panel import gateways, holidays, letter
from panel.admin import base, gateway_lamps, show, sources, steps
from panel.admin.letters import letters
from panel.clock import utcnow
from panel.extensions import db
from panel.zones import TEHRAN

LONGEST_SEARCH = 100
MOST_ANNOUNCED = 20
WHICH_WORDS = {"needs": lazy("Those that need you"), "active": lazy("Those being synced now")}


class StatusView(AdminIndexView):
    """Every source with its state and the next thing to do. Its rows move by themselves."""

    def __init__(self) -> None:
        super().__init__(name=lazy("Status"), url="/")

    def is_accessible(self) -> bool:
        return bool(current_user.is_authenticated)

    @expose("/")
    def index(self) -> ResponseReturnValue:
        return self.render("status.html", **self._table(), which_words=WHICH_WORDS)

    @expose("/status/rows")
    def rows(self) -> ResponseReturnValue:
        """The rows alone, for the open page that asks again and again."""
        table = self._table()
        html = self.render("parts/source_rows.html", **table)
        lamps = [one.announced for one in table["gateways"] if one.announced]
        announce = " · ".join([_announced(table["sources"], table["summary"]), *lamps])
        return base.fragment(html, active=table["active"], announce=announce)

    @expose("/gateways/letter")
    def letter(self) -> ResponseReturnValue:
        """«نامه به پشتیبانی درگاه»: what the keeper of a gateway that is down needs to know, to be copied."""
        asked, now = request.args.get("of", ""), utcnow()
        found = [one for one in gateways.gateways(db.session(), base.config()) if one.address == asked]
        if not found:
            abort(404)
        facts = letter.of_gateway(found[0], now)
        back = url_for("admin.index")
        if facts is None:
            return base.done(False, _("This gateway answers; there is nothing to write about."), back)
        return self.render("letter.html", letters=letters(facts), back=back, back_word=_("Status"))

    def _table(self) -> dict:
        session, config, now = db.session(), base.config(), utcnow()
        search = request.args.get("search", "")[:LONGEST_SEARCH].strip()
        which = request.args.get("which") if request.args.get("which") in WHICH_WORDS else None
        everything = sources.standings(session, config, now)
        chosen = sources.choose(everything, search, which, base.page_number())
        found = sources.sources(session, config, now, chosen.standings)
        active = any(one.active for one in found)
        return {
            "sources": found,
            "several_pages": len(everything) > sources.SOURCES_A_PAGE,
            "search": search,
            "which": which,
            "page": chosen.page,
            "pages": chosen.pages,
            "total": chosen.total,
            "rows_url": base.address_at(url_for("admin.rows")),
            "address_with": partial(base.address_at, url_for("admin.index")),
            "active": active,
            "is_new": not config.demo
            and steps.is_new(
                session, any_complete=any(not one.missing and not one.broken for one in everything)
            ),
            "gateways": gateway_lamps.shown(session, config, now),
            "now": now,
            "seconds": base.ACTIVE_SECONDS if active else base.IDLE_SECONDS,
            "summary": _summary(everything),
            "troubles": holidays.troubles(session, now.astimezone(TEHRAN).date()),
        }


def _announced(found: list[sources.Source], summary: str) -> str:
    """What those who hear the page are told when it has moved: each source's state, or all in one sentence."""
    if len(found) > MOST_ANNOUNCED:  # it goes in a header, which a proxy in front may find too long
        return summary
    return " · ".join(
        f"{one.label}: {show.STATUS_WORDS[one.run.status if one.run else None]}" for one in found
    )


def _summary(found: list[sources.Standing]) -> str:
    """The answer to "is all well?" in one sentence."""
    needs = [one for one in found if one.needs_a_person]
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
    in_step = sum(one.status == "success" for one in found)
    if in_step == len(found):
        return _("All sources are in step.")
    if in_step:
        return _(
            "%(n)s of %(all)s sources are in step; press “Sync” beside the others.",
            n=show.number(in_step),
            all=show.number(len(found)),
        )
    return _("Press “Sync” beside a source to bring it in step.")
