"""The lists that somebody comes back to: an address under a name of their own."""

from dataclasses import dataclass

from flask_login import current_user
from sqlalchemy import func, select

from panel.admin.listed import Address
from panel.browse import DataTable
from panel.clock import utcnow
from panel.extensions import db
from panel.models import SavedView

LONGEST_NAME = 80
LONGEST_QUERY = 4000
MOST_VIEWS = 50  # of one person and table


@dataclass(frozen=True)
class Shown:
    """A saved view as the page shows it. here: it is what the page shows now."""

    id: int
    name: str
    url: str
    here: bool


def of(table: DataTable, address: Address) -> list[Shown]:
    """This person's views of a table, by name."""
    found = db.session.scalars(
        select(SavedView)
        .where(SavedView.user_id == current_user.id, SavedView.table_name == table.name)
        .order_by(SavedView.name)
    )
    here = address.query()
    return [Shown(view.id, view.name, address.plain(view.query), view.query == here) for view in found]


def save(table: DataTable, name: str, address: Address) -> str | None:
    """Keep the list under this name, instead of the one that had it; the name, or None where that cannot be.

    The caller commits.
    """
    name = " ".join(name.split())[:LONGEST_NAME]
    query = address.query()
    mine = (SavedView.user_id == current_user.id, SavedView.table_name == table.name)
    before = db.session.scalar(select(SavedView).where(*mine, SavedView.name == name))
    many = db.session.scalar(select(func.count()).select_from(SavedView).where(*mine)) or 0
    if not name.isprintable() or not name or len(query) > LONGEST_QUERY:
        return None
    if before is not None:
        before.query = query
    elif many >= MOST_VIEWS:
        return None
    else:
        db.session.add(
            SavedView(
                user_id=current_user.id, table_name=table.name, name=name, query=query, created_at=utcnow()
            )
        )
    return name


def remove(table: DataTable, number: int) -> str | None:
    """Forget one of this person's views; its name. The caller commits."""
    view = db.session.get(SavedView, number) if number < 2**31 else None
    if view is None or view.user_id != current_user.id or view.table_name != table.name:
        return None
    db.session.delete(view)
    return view.name
