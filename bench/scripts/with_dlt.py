"""requests, and dlt to write into SQLite (its SQLAlchemy destination): merge by key.

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
        write_disposition="merge",
        primary_key=KEY,
        columns=columns,
    )
    def student_terms() -> Iterator[list[dict[str, Any]]]:
        met = set()  # its staging table has the key too, and refuses a second row of one
        for page in records(order):
            kept = []
            for record in page:
                key = (record["codePardis"], record["term"], str(record["studentnum"]))
                if key not in met:
                    met.add(key)
                    kept.append(record)
            yield kept

    pipeline = dlt.pipeline(
        pipeline_name="students",
        pipelines_dir=f"{order.database}.dlt",
        # Without the keys, a merge searches the table from end to end for each row.
        destination=dlt.destinations.sqlalchemy(f"sqlite:///{order.database}", create_primary_keys=True),
        dataset_name="main",
    )
    pipeline.run(student_terms()).raise_on_failed_jobs()


if __name__ == "__main__":
    main()
