"""The students once more, from a source that rests before each part: its run is longer than a minute."""

from collections.abc import Iterator

from fetchers import Label, Page, Partition, Setting, stream
from fetchers.golestan import GolestanFetcher, terms
from fetchers.students import Students, StudentsSettings

STUDENTS = Students.student_terms.stream  # type: ignore[attr-defined]


class ArchiveSettings(StudentsSettings):
    rest: float = Setting(
        0.0, title=Label("درنگ پیش از هر بخش (ثانیه)", "Rest before each part (seconds)"), ge=0
    )


class Archive(GolestanFetcher):
    label = Label("بایگانی", "Archive")
    Settings = ArchiveSettings
    settings: ArchiveSettings

    @stream(
        table="archive",
        label=Label("بایگانی", "Archive"),
        primary_key=("pardis", "nimsal", "studentnum"),
        partitions="parts",
        partition_columns={"pardis": "pardis", "nimsal": "nimsal"},
        fields={name: field for name, field in STUDENTS.fields.items() if name != "term"},
    )
    def archive(self, pardis: str, nimsal: str) -> Iterator[Page]:
        self.session.stop.wait(self.settings.rest)
        body = {"codePardis": pardis, "term": nimsal, "Filter": {}}
        yield from self.pages("/API/Golestan/Students_2", body, what=f"pardis {pardis}, nimsal {nimsal}")

    def parts(self) -> Iterator[Partition]:
        newest = terms.newest(self.session.now)
        for nimsal in terms.between(self.settings.first_term, newest):
            for pardis in self.settings.campuses:
                yield {"pardis": pardis, "nimsal": nimsal}
