"""Which columns of a list somebody sees: those of the address, else those that they chose, else the table's own."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask_login import current_user

from panel import browse
from panel.admin.values import may_see
from panel.browse import DataTable
from panel.extensions import db
from panel.models import ColumnChoice


@dataclass(frozen=True)
class Columns:
    """The columns of a list. in_address: the address names them, for whoever opens it; chosen: somebody did."""

    names: tuple[str, ...]
    in_address: bool
    chosen: bool


def shown(table: DataTable, text: str) -> Columns:
    """The columns to show. text: what the address says."""
    named = _known(table, text.split(","))
    if named:
        return Columns(named, in_address=True, chosen=True)
    kept = db.session.get(ColumnChoice, (current_user.id, table.name))
    remembered = _known(table, kept.columns) if kept is not None else ()
    return Columns(remembered or table.summary, in_address=False, chosen=bool(remembered))


def remember(table: DataTable, names: Sequence[str]) -> None:
    """Keep somebody's choice; none, or the table's own columns, forgets it. The caller commits."""
    known = _known(table, names)
    kept = db.session.get(ColumnChoice, (current_user.id, table.name))
    if not known or known == table.summary:
        if kept is not None:
            db.session.delete(kept)
    elif kept is not None:
        kept.columns = list(known)
    else:
        db.session.add(ColumnChoice(user_id=current_user.id, table_name=table.name, columns=list(known)))


def choosable(table: DataTable) -> tuple[str, ...]:
    """Every column that this person may see, those of the table's own list first."""
    every = dict.fromkeys([*table.summary, *table.columns])
    return tuple(column for column in every if may_see(table, column))


def with_more(url: str, table: DataTable) -> DataTable:
    """The table with its discovered columns, for those who may see them."""
    return browse.with_discovered(url, table) if current_user.can("admin") else table


def _known(table: DataTable, names: Sequence[str]) -> tuple[str, ...]:
    """Those that there are and that may be seen, in the order in which they can be chosen."""
    return tuple(column for column in choosable(table) if column in names)
