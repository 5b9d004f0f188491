"""What a button does that starts a run, wherever it stands."""

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from panel import audit, doorbell, runs
from panel.admin import base, sources
from panel.clock import utcnow
from panel.extensions import db
from panel.models import DataSync


def ask(
    sync: DataSync,
    *,
    mode: str = "incremental",
    dry_run: bool = False,
    partitions: list[dict[str, str]] | None = None,
    to_run: bool = False,
    back: str | None = None,
    shown: bool = False,
) -> ResponseReturnValue:
    """Ask for a run, write down who did, and answer the button; a run that is active already is the answer.

    to_run: to the run's page. back: where else the answer leads; the status page where nothing is said.
    shown: the page shows the rehearsal as it goes, so that its beginning needs no sentence.
    """
    session = db.session()
    user = current_user.username
    back = back or url_for("admin.index")
    one = sources.source(sync, session, base.config(), utcnow())
    if one.cannot:
        return base.done(False, one.cannot, back)
    asked = runs.request(
        session,
        sync,
        triggered_by="panel",
        now=utcnow(),
        user=user,
        mode=mode,
        dry_run=dry_run,
        partitions=partitions,
    )
    if not asked.joined:
        told = {} if partitions is None else {"parts": len(partitions)}
        audit.record(
            session,
            user,
            "rehearsal_requested" if dry_run else "run_requested",
            sync.key,
            request.remote_addr,
            run=asked.run.id,
            **told,
        )
    run_id, rehearsed = asked.run.id, asked.run.dry_run
    session.commit()
    doorbell.ring(base.config().instance)
    if asked.joined and rehearsed != dry_run:
        text = _("%(source)s is busy with another run; ask again when it has ended.")
    elif rehearsed:
        text = "" if shown else _("The rehearsal for %(source)s begins; nothing will be written.")
    elif asked.joined:
        text = _("%(source)s is being synced already.")
    else:
        text = _("The sync of %(source)s has been started.")
    go = url_for("runs.one", run_id=run_id) if to_run else None
    return base.done(True, text % {"source": one.label}, back, go)
