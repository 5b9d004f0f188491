"""requests, and dlt to write into SQLite (its SQLAlchemy destination): append at first, merge by key later.

Columns are declared as text, so that dlt need not guess types from values that come as text and as numbers.
"""

from collections.abc import Iterator
from typing import Any

import dlt
from order import COLUMNS, KEY, read
from plain import records


def main() -> None:
    order = read()
    columns = {column: {"data_type": "text", "nullable": column not in KEY} for column in COLUMNS}

    @dlt.resource(
        name="student_terms",
        write_disposition="append" if order.first else "merge",
        primary_key=KEY,
        columns=columns,
    )
    def student_terms() -> Iterator[list[dict[str, Any]]]:
        yield from records(order)

    pipeline = dlt.pipeline(
        pipeline_name="students",
        pipelines_dir=f"{order.database}.dlt",
        destination=dlt.destinations.sqlalchemy(f"sqlite:///{order.database}"),
        dataset_name="main",
    )
    pipeline.run(student_terms()).raise_on_failed_jobs()


if __name__ == "__main__":
    main()
