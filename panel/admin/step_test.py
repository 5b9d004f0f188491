"""The test among the first steps: one login, what the gateway announces, and both kept for who reloads the page.

It is kept in the person's session, without any secret, and counts as long as address and login are those of the test.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from flask import session as browser
from flask_babel import gettext as _
from flask_babel import ngettext

from panel import probe, whose_fault
from panel.admin import fault_page, show, sources
from panel.config import Config
from panel.models import DataSync

if TYPE_CHECKING:
    from panel.admin.steps import House

KEPT = "first_steps_test"
LONGEST_PARAM = 200
MOST_ASKED = 3  # sources whose first page is looked at: a person is waiting


@dataclass(frozen=True)
class Kept:
    """What one login said. announced: records of the sources that could be asked already, by key; None: not said."""

    answer: probe.ProbeResult
    network: bool | None
    announced: Mapping[str, int | None]

    def told(self, address: str) -> fault_page.Told:
        """Step by step, and whom to call; what is wrong in the settings is mended from here, by who is reading."""
        told = fault_page.told(self.answer, address, self.network)
        if told.whose != whose_fault.SETTINGS:
            return told
        if self.answer.code == "E_AUTH":
            todo = _(
                "Choose “Change the login” below and enter the right one, then test the connection once more. "
                "It was tried once only, so that the account is not locked."
            )
        else:
            todo = _(
                "Compare the address with the one that the gateway's support team gave you: http or https, the name "
                "and the port. Choose “Change the address” below to mend it, then test the connection once more."
            )
        return replace(told, todo=todo, call="")

    @property
    def lines(self) -> list[str]:
        """The facts behind a yes, a sentence each."""
        found = []
        if self.answer.took is not None:
            found.append(_took(max(1, round(self.answer.took * 1000))))
        for key, total in self.announced.items():
            if total is not None:
                found.append(_announced(sources.label(key), total))
        return found


def _took(milliseconds: int) -> str:
    return ngettext(
        "The gateway answered in %(n)s millisecond.",
        "The gateway answered in %(n)s milliseconds.",
        milliseconds,
        n=show.number(milliseconds),
    )


def _announced(source: str, total: int) -> str:
    return _("%(source)s: the gateway announces %(n)s records.", source=source, n=show.number(total))


def ask(it: "House", config: Config) -> Kept:
    """Log in once; where that goes well, ask the sources that need nothing more how much they have. Writes nothing."""
    sync = it.gateway
    assert sync is not None
    answer = probe.check(sync.fetcher, it.values[sync.id].values, config)
    announced: dict[str, int | None] = {}
    # Of a source in parts, the first one says nothing of the rest.
    whole = [one for one in it.ready if one in it.behind and not sources.in_parts(one)] if answer.ok else []
    for one in whole[:MOST_ASKED]:
        seen = probe.preview(one.fetcher, it.values[one.id].values, config)
        if seen.ok:
            announced[one.key] = seen.seen.get("total")
    return Kept(answer, whose_fault.has_network(), announced)


def keep(it: "House", told: Kept, config: Config) -> None:
    """Keep it for this person's next look."""
    answer = told.answer
    browser[KEPT] = {
        "of": _fingerprint(it, config),
        "ok": answer.ok,
        "code": answer.code,
        "params": {name: _short(value) for name, value in answer.params.items()},
        "message": answer.message[:LONGEST_PARAM],
        "reached": answer.reached,
        "took": answer.took,
        "network": told.network,
        "announced": dict(told.announced),
    }


def kept(it: "House", config: Config) -> Kept | None:
    """What the last test of this address and login said, as far as this person's session knows."""
    found: dict[str, Any] | None = browser.get(KEPT)
    if it.gateway is None or found is None or found["of"] != _fingerprint(it, config):
        return None
    answer = probe.ProbeResult(
        found["ok"],
        found["code"],
        found["params"],
        found["message"],
        reached=found["reached"],
        took=found["took"],
    )
    return Kept(answer, found["network"], found["announced"])


def _short(value: Any) -> Any:
    """A parameter of an error, fit for a cookie."""
    if isinstance(value, list | tuple):
        return [str(one)[:LONGEST_PARAM] for one in value[:5]]
    return value if isinstance(value, int | float | None) else str(value)[:LONGEST_PARAM]


def _fingerprint(it: "House", config: Config) -> str:
    """Changes with address and login. Keyed, so that nobody who reads the cookie can try passwords on it."""
    gateway: DataSync | None = it.gateway
    told = [str(it.value(gateway, name) or "") for name in ("base_url", "username", "password")]
    sealed = hmac.new(config.secret_key.encode(), json.dumps(told).encode(), hashlib.sha256)
    return sealed.hexdigest()[:24]
