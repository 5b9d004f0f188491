"""The faculty once more, from a source of its own."""

from collections.abc import Iterator

from fetchers import Label, Page, stream
from fetchers.faculty import Faculty
from fetchers.golestan import GolestanFetcher


class Staff(GolestanFetcher):
    label = Label("کارکنان", "Staff")

    @stream(
        table="staff",
        label=Label("کارکنان", "Staff"),
        primary_key=("id",),
        fields=Faculty.faculty.stream.fields,  # type: ignore[attr-defined]
    )
    def staff(self) -> Iterator[Page]:
        yield from self.pages("/API/Golestan/Faculty", {}, paging=None, what="staff")
