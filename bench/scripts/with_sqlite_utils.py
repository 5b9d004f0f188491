"""requests, and sqlite-utils to write: upsert_all, page by page."""

import sqlite_utils
from order import COLUMNS, KEY, read
from plain import records


def main() -> None:
    order = read()
    db = sqlite_utils.Database(order.database)
    table = db["student_terms"]
    types = dict.fromkeys(COLUMNS, str)
    for page in records(order):
        if page:
            table.upsert_all(page, pk=KEY, columns=types)
    db.close()


if __name__ == "__main__":
    main()
