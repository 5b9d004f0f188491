"""A list's address: what it asks for, and the addresses of its neighbours. Everything that narrows a list is in it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urlencode

from flask import url_for
from werkzeug.datastructures import MultiDict

from fetchers.core.clean import to_jalali
from panel.admin import day_boxes
from panel.admin.values import may_see
from panel.browse import DataTable, Wanted

LONGEST_SEARCH = 100
LONGEST_VALUE = 200

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Address:
    """Where a list is."""

    table: DataTable
    wanted: Wanted
    columns: tuple[str, ...] = ()  # empty: whoever looks sees the columns that they chose

    def filters(self) -> Pairs:
        """What narrows it, as an address or a form sends it."""
        wanted = self.wanted
        pairs = [("search", wanted.search)]
        pairs += [(f"f_{column}", value) for column, value in wanted.facets.items()]
        for column, (since, until) in wanted.days.items():
            pairs += [(f"since_{column}", since or ""), (f"until_{column}", until or "")]
        return [(name, value) for name, value in pairs if value]

    def order(self) -> Pairs:
        """How it is sorted."""
        if self.wanted.sort is None:
            return []
        return [("sort", self.wanted.sort), *([("desc", "1")] if self.wanted.descending else [])]

    def rest(self) -> Pairs:
        """How it is shown: what a form that narrows it sends along."""
        return [*self.order(), *([("columns", ",".join(self.columns))] if self.columns else [])]

    def query(self) -> str:
        """All of its address behind the table's."""
        return urlencode([*self.filters(), *self.rest()])

    def with_columns(self, columns: Sequence[str]) -> "Address":
        """The same list with these columns, for everybody who is given the address."""
        return replace(self, columns=tuple(columns))

    def here(self) -> str:
        """This list from its beginning."""
        return self._with([])

    def cleared(self) -> str:
        """The same table, nothing left out, in the same order."""
        return replace(self, wanted=replace(self.wanted, search="", facets={}, days={})).here()

    def sorted_by(self, column: str | None, descending: bool = False) -> str:
        """The same rows in another order, from the beginning."""
        return replace(self, wanted=replace(self.wanted, sort=column, descending=descending)).here()

    def after(self, key: Iterable[object]) -> str:
        """The page that begins behind this row."""
        return self._with([("after", str(value)) for value in key])

    def before(self, key: Iterable[object]) -> str:
        """The page that ends before this row."""
        return self._with([("before", str(value)) for value in key])

    def last(self) -> str:
        """The last page."""
        return self._with([("last", "1")])

    def _with(self, place: Pairs) -> str:
        return self.plain(urlencode([*self.filters(), *self.rest(), *place]))

    def plain(self, query: str) -> str:
        """The table with this behind its address."""
        return url_for("data.table", table_name=self.table.name) + (f"?{query}" if query else "")


def asked(table: DataTable, args: MultiDict[str, str]) -> Wanted:
    """What an address or a form asks for; nonsense asks for nothing. Days that cannot be read: see `spans`."""
    sort = args.get("sort")
    if sort not in table.columns or not may_see(table, sort):
        sort = None
    return Wanted(
        search=args.get("search", "").strip()[:LONGEST_SEARCH],
        facets={
            facet.column: value
            for facet in table.stream.facets
            if (value := args.get(f"f_{facet.column}", "")[:LONGEST_VALUE])
        },
        days={
            column: (_stored(span.since), _stored(span.until))
            for column, span in spans(table, args).items()
            if span.since or span.until
        },
        sort=sort,
        descending=sort is not None and args.get("desc") == "1",
        after=_key(args.getlist("after")),
        before=_key(args.getlist("before")),
        last=args.get("last") == "1",
    )


def spans(table: DataTable, args: Mapping[str, str]) -> dict[str, day_boxes.Span]:
    """The days that are asked for, by column, with what cannot be read of them."""
    return {
        column: day_boxes.span(args, f"since_{column}", f"until_{column}") for column in table.stream.days
    }


def _stored(day: date | None) -> str | None:
    """A day as dates are stored: 1405/09/01."""
    return None if day is None else str(to_jalali(day))


def _key(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(text[:LONGEST_VALUE] for text in texts)
