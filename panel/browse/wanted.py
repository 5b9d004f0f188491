"""What is asked of a list, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fetchers.core.fetcher import Facet

NONE = "-"  # how an address says "no value": cleaning leaves no such text

Row = dict[str, Any]
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Wanted:
    """What to show. facets, days: by column. after, before: the key of a row; neither: the beginning; last: the end."""

    search: str = ""
    facets: Mapping[str, str] = field(default_factory=dict)
    days: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)  # from, to, both included
    sort: str | None = None
    descending: bool = False
    after: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    last: bool = False

    @property
    def narrows(self) -> bool:
        """Whether anything is left out."""
        return bool(self.search or self.facets or any(any(span) for span in self.days.values()))

    @property
    def backward(self) -> bool:
        """Whether rows are read from the last to the first."""
        return self.last or bool(self.before and not self.after)


@dataclass
class Slice:
    """Rows of a list, in the order in which they are shown.

    more: there are others, in the direction in which they were read. stopped_at: the key of the last row that was
    looked at, where the page is not full. first: the place of the first row; None: not known. lost: the row at which
    they should begin is gone, so they are from the beginning.
    """

    rows: list[Row]
    more: bool
    reverse: bool
    stopped_at: Key | None = None
    first: int | None = None
    lost: bool = False


@dataclass(frozen=True)
class Option:
    """One value of a facet. rows: how many there would be; None: not counted."""

    value: str
    word: str | None
    rows: int | None


@dataclass(frozen=True)
class FacetChoice:
    """A facet with its values, and the one that is chosen."""

    facet: Facet
    options: list[Option]
    chosen: str


@dataclass(frozen=True)
class Listing:
    """A page.

    total: None where nobody counted; then there are more than `more_than`. before, after: keys for the pages beside
    this one. sort, descending: how it is sorted. sortable: by what it can be. refused: it is too long for the order
    that was asked for. stopped: so many rows were looked at without filling the page, that the rest waits for the next.
    """

    rows: list[Row]
    total: int | None
    more_than: int
    first: int | None
    before: Key | None
    after: Key | None
    facets: list[FacetChoice]
    sort: str
    descending: bool
    sortable: frozenset[str]
    refused: bool
    stopped: bool
    lost: bool
