"""The limit: the quickest wire, parser and writer that Python has, and nothing cleaned or compared.

Threads fetch and parse (wire.py), the main one writes (apsw). Into an empty database it only inserts; into a full one
it overwrites every column of every row, which is what "blind upsert" means here.
"""

import apsw
from order import COLUMNS, CREATE, KEY, read
from wire import parts


def main() -> None:
    order = read()
    db = apsw.Connection(order.database)
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "cache_size = -65536"):
        db.execute(f"PRAGMA {pragma}").fetchall()
    db.execute(CREATE)
    insert = f"INTO student_terms ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
    if order.first:
        statement = f"INSERT OR IGNORE {insert}"
    else:
        others = ", ".join(f"{column} = excluded.{column}" for column in COLUMNS if column not in KEY)
        statement = f"INSERT {insert} ON CONFLICT ({', '.join(KEY)}) DO UPDATE SET {others}"
    for rows in parts(order):
        with db:
            db.executemany(statement, rows)
    db.close()


if __name__ == "__main__":
    main()
