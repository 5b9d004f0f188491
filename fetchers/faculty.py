"""Faculty of a Golestan gateway: one list, one part."""

from collections.abc import Iterator

from fetchers import Clash, Code, Email, Facet, Integer, Label, NationalCode, Page, Phone, Text, stream
from fetchers.golestan import GolestanFetcher


class Faculty(GolestanFetcher):
    """Every member of the faculty, as the gateway lists them today."""

    label = Label("اعضای هیئت علمی", "Faculty")
    default_timeout_seconds = 3600

    @stream(
        table="faculty",
        label=Label("اعضای هیئت علمی", "Faculty"),
        primary_key=("id",),
        fields={
            "id": Integer(Label("شناسه", "ID")),
            "professorCode": Code(Label("کد استاد", "Professor code")),
            "name": Text(Label("نام", "First name")),
            "family": Text(Label("نام خانوادگی", "Family name")),
            "field": Text(Label("رشته", "Field of study")),
            "code": Code(Label("کد", "Code")),
            "mobile": Phone(Label("تلفن همراه", "Mobile"), personal=True),
            "nationalcode": NationalCode(Label("کد ملی", "National code"), personal=True),
            "email": Email(Label("رایانامه", "E-mail"), personal=True),
            "personelid": Code(Label("شمارهٔ پرسنلی", "Personnel number"), zero_is_empty=True, personal=True),
            "code_Markaz": Code(Label("کد پردیس", "Campus code")),
            "markaz": Text(Label("پردیس", "Campus")),
            "city": Text(Label("شهر", "City")),
            "sex": Integer(Label("جنسیت", "Sex")),
            "scope": Text(Label("حوزه", "Scope")),
            "scope_ID": Code(Label("کد حوزه", "Scope code")),
            "employ_state": Text(Label("وضعیت خدمت", "Service status")),
            "employtype": Code(Label("کد نوع عضویت", "Membership code")),
            "employtype_title": Text(Label("نوع عضویت", "Membership")),
            "estekhdamtype": Code(Label("کد نوع استخدام", "Employment code")),
            "estekhdamtype_title": Text(Label("نوع استخدام", "Employment")),
        },
        clashes=(Clash("two_ids", same="nationalcode", differ=("id",)),),
        search=("name", "family", "professorCode", "field", "markaz"),
        summary=("id", "name", "family", "field", "markaz", "employtype_title", "employ_state"),
        facets=(
            Facet("code_Markaz", words="markaz"),
            Facet("employtype", words="employtype_title"),
            Facet("estekhdamtype", words="estekhdamtype_title"),
            Facet("employ_state"),
        ),
        order=("family", "name"),
    )
    def faculty(self) -> Iterator[Page]:
        """The whole list; this endpoint takes page number and size at the top of its body (DOMAIN.md G3)."""
        yield from self.pages("/API/Golestan/Faculty", {}, paging=None, what="faculty")
