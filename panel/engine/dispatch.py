"""Which pending runs start now: those whose time has come, longest waiting first, while there is room."""

from datetime import datetime

from sqlalchemy.orm import Session, sessionmaker

from panel import runs
from panel.db import writing


def claim_waiting(factory: sessionmaker[Session], *, epoch: int, room: int, now: datetime) -> list[int]:
    """Claim at most `room` runs for the engine that leads with `epoch`.

    It looks without writing first: this is asked each second, and the answer is mostly none.
    """
    if room <= 0:
        return []
    with factory() as session:
        waiting = session.scalars(runs.waiting_runs(now, room)).all()
    claimed = []
    for run_id in waiting:
        with writing(factory) as session:
            if runs.claim(session, run_id, epoch=epoch, now=now) is not None:
                claimed.append(run_id)
    return claimed
