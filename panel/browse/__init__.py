"""The destination as people look through it: tables, rows, and lists of any length. Only looking.

Which tables there are, their columns, labels and keys come from the fetchers' streams; nothing here knows a source by
name. Names of tables and columns reach the database through SQLAlchemy's identifiers alone.
"""

from panel.browse.listing import ROWS_A_PAGE, listing
from panel.browse.tables import (
    ASKED_LABELS,
    DataTable,
    every_part,
    is_there,
    parts_of_person,
    row,
    rows_of,
    tables,
    with_discovered,
)
from panel.browse.wanted import NONE, FacetChoice, Listing, Option, Wanted

__all__ = [
    "ASKED_LABELS",
    "DataTable",
    "FacetChoice",
    "Listing",
    "NONE",
    "Option",
    "ROWS_A_PAGE",
    "Wanted",
    "every_part",
    "is_there",
    "listing",
    "parts_of_person",
    "row",
    "rows_of",
    "tables",
    "with_discovered",
]
