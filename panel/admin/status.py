"""The home page: the status table."""

from functools import partial

from flask import abort, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import AdminIndexView, expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_login import current_user
from sqlalchemy import func, select

from panel import gateways, letter, trend
from panel.admin import attention_card, base, gateway_lamps, show, sources, steps
from panel.admin.letters import letters
from panel.clock import utcnow
from panel.extensions import db
from panel.models import SyncRun

LONGEST_SEARCH = 100
MOST_ANNOUNCED = 15
MOST_CHARTS = 5  # sources; where there are more, each has its charts on its own page
WHICH_WORDS = {"needs": lazy("Those that need you"), "active": lazy("Those being synced now")}


class StatusView(AdminIndexView):
    """Every source with its state and the next thing to do. Its rows move by themselves."""

    def __init__(self) -> None:
        super().__init__(name=lazy("Status"), url="/")

    def is_accessible(self) -> bool:
        return bool(current_user.is_authenticated)

    @expose("/")
    def index(self) -> ResponseReturnValue:
        table = self._table()
        return self.render("status.html", **table, which_words=WHICH_WORDS, with_charts=_with_charts(table))

    @expose("/status/rows")
    def rows(self) -> ResponseReturnValue:
        """The rows alone, for the open page that asks again and again.

        204 where no run has begun since those that it shows, and nothing was under way then (`X-Newest`).
        """
        if request.headers.get("X-Newest") == _newest():
            return "", 204
        table = self._table()
        html = self.render("parts/source_rows.html", **table)
        answer = base.fragment(html, active=table["active"], announce=table["announced"])
        if not table["active"]:
            answer.headers["X-Newest"] = table["newest"]
        return answer

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
        newest = _newest()  # before all else: a run that begins meanwhile is news to the page
        search = request.args.get("search", "")[:LONGEST_SEARCH].strip()
        which = request.args.get("which") if request.args.get("which") in WHICH_WORDS else None
        everything = sources.standings(session, config, now)
        chosen = sources.choose(everything, search, which, base.page_number())
        found = sources.sources(session, config, now, chosen.standings)
        active = any(one.active for one in found)
        lamps = gateways.gateways(session, config)
        shown = gateway_lamps.shown(lamps, now)
        keys = {one.key for one in chosen.standings}
        is_new = not config.demo and steps.is_new(
            session, any_complete=any(not one.missing and not one.broken for one in everything)
        )
        card = attention_card.card(everything, keys, lamps, session, config, now, is_new=is_new)
        return {
            "sources": found,
            "filters": len(everything) > sources.SOURCES_A_PAGE or bool(search or which),
            "search": search,
            "which": which,
            "page": chosen.page,
            "pages": chosen.pages,
            "total": chosen.total,
            "rows_url": base.address_at(url_for("admin.rows")),
            "address_with": partial(base.address_at, url_for("admin.index")),
            "active": active,
            "is_new": is_new,
            "newest": newest,
            "is_small": len(everything) <= MOST_CHARTS,
            "gateways": shown,
            "card": card,
            "announced": _announced(found, card, shown),
            "now": now,
            "seconds": base.ACTIVE_SECONDS if active else base.IDLE_SECONDS,
        }


def _with_charts(table: dict) -> list[sources.Source]:
    if not table["is_small"]:
        return []
    ids = [one.sync.id for one in table["sources"]]
    those = trend.with_a_line(db.session(), ids, table["now"])
    return [one for one in table["sources"] if one.sync.id in those]


def _newest() -> str:
    """The number of the newest run."""
    return str(db.session().scalar(select(func.max(SyncRun.id))) or 0)


def _announced(
    found: list[sources.Source], card: attention_card.Card, lamps: list[gateway_lamps.Shown]
) -> list[str]:
    """What those who hear the page are told: what needs somebody, and each source's state."""
    told = card.announced
    if len(found) <= MOST_ANNOUNCED:  # it goes in a header, which a proxy in front may find too long
        told += [f"{one.label}: {show.STATUS_WORDS[one.run.status if one.run else None]}" for one in found]
    return told + [one.announced for one in lamps if one.announced]
