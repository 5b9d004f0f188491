"""The limit on PostgreSQL: threads fetch and parse (wire.py), the main one copies; nothing cleaned or compared.

Into an empty database it copies straight into the table; into a full one it copies into a temporary table, and one
statement per part overwrites every column of every row from there ("blind upsert"). A part is a transaction; as with
SQLite's `synchronous = NORMAL`, none of them waits for the disk.
"""

import psycopg
from order import COLUMNS, KEY, read
from wire import parts

NUMBER = COLUMNS.index("studentnum")


def main() -> None:
    order = read()
    named = ", ".join(f'"{column}"' for column in COLUMNS)
    key = ", ".join(f'"{column}"' for column in KEY)
    # Compared by code point: a language's order would cost more.
    typed = ", ".join(f'"{column}" TEXT COLLATE "C"' for column in COLUMNS)
    others = ", ".join(f'"{column}" = excluded."{column}"' for column in COLUMNS if column not in KEY)
    target = "student_terms" if order.first else "incoming"
    with psycopg.connect(order.database, autocommit=True) as db, db.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        cursor.execute(f"CREATE TABLE IF NOT EXISTS student_terms ({typed}, PRIMARY KEY ({key}))")
        cursor.execute("CREATE TEMPORARY TABLE incoming (LIKE student_terms) ON COMMIT DELETE ROWS")
        for rows in parts(order, without_nul=True):
            with db.transaction():
                with cursor.copy(f"COPY {target} ({named}) FROM STDIN") as copy:
                    # One of each key: neither COPY nor one INSERT takes a second one.
                    for row in {str(row[NUMBER]): row for row in rows}.values():
                        copy.write_row(row)
                if not order.first:
                    cursor.execute(
                        f"INSERT INTO student_terms ({named}) SELECT {named} FROM incoming"
                        f" ON CONFLICT ({key}) DO UPDATE SET {others}"
                    )


if __name__ == "__main__":
    main()
