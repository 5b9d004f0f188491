"""What the sources behind one Golestan gateway share: its settings, its login, its pages."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, ClassVar

from pydantic import SecretStr

from fetchers import ConfigError, Fetcher, HttpSettings, Label, Page, Setting
from fetchers.golestan.client import GolestanClient

WEB_ADDRESS = r"^https?://[^\s/@?#]+(/[^\s?#]*)?$"


class GolestanSettings(HttpSettings):
    """Address and login of the gateway; the same for every source behind it."""

    base_url: str = Setting(
        "",
        title=Label("نشانی درگاه", "Gateway address"),
        help=Label(
            "معمولاً با \u2066https://\u2069 آغاز می‌شود و در پایان \u2066/API\u2069 ندارد.",
            "It usually begins with https:// and has no /API at its end.",
        ),
        env="GOLESTAN_BASE_URL",
        placeholder="https://api.cfu.ac.ir",
        pattern=rf"(^$)|({WEB_ADDRESS})",
        max_length=300,
    )
    username: str = Setting(
        "",
        title=Label("نام کاربری درگاه", "Gateway user name"),
        help=Label(
            "نامی که پشتیبانی درگاه برای خواندن داده‌ها داده است.",
            "The one that the gateway's support team gave you for reading.",
        ),
        env="GOLESTAN_USERNAME",
        max_length=150,
    )
    password: SecretStr = Setting(
        SecretStr(""),
        title=Label("گذرواژهٔ درگاه", "Gateway password"),
        help=Label("رمزشده نگه داشته می‌شود.", "It is kept encrypted."),
        env="GOLESTAN_PASSWORD",
        max_length=300,
    )
    page_size: int = Setting(
        1000,
        title=Label("سطر در هر صفحه", "Rows per page"),
        help=Label("درگاه می‌تواند کمتر بدهد؛ همه خوانده می‌شود.", "The gateway may give fewer; all are read."),
        ge=10,
        le=100_000,
        advanced=True,
    )
    may_be_missing: list[str] = Setting(
        list,
        title=Label("فیلدهایی که می‌توانند نباشند", "Fields that may be missing"),
        help=Label(
            "نبودِ هر فیلد دیگری نشانهٔ تغییر درگاه شمرده می‌شود و دادهٔ پیشین می‌ماند.",
            "Where any other field is missing, the gateway has changed and the old data stay.",
        ),
        advanced=True,
    )


class GolestanFetcher(Fetcher):
    """Base of every source behind a Golestan gateway."""

    Settings: ClassVar[type[GolestanSettings]] = GolestanSettings
    settings: GolestanSettings

    @cached_property
    def client(self) -> GolestanClient:
        """The one client of this job. Raises ConfigError where address or login are not set."""
        given = {
            "base_url": self.settings.base_url,
            "username": self.settings.username,
            "password": self.settings.password.get_secret_value(),
        }
        for name, value in given.items():
            if not value:
                raise ConfigError(f"The gateway's {name} is not set.", setting=name)
        return GolestanClient(self.session, given["base_url"], given["username"], given["password"])

    def pages(
        self, path: str, body: Mapping[str, Any], *, paging: str | None = "paging", what: str = ""
    ) -> Iterator[Page]:
        """Every record of one request, read page by page until the whole is there.

        paging: the key of the body below which page number and size stand; None: they stand at its top.
        what: how the log calls this part.
        """

        def ask(number: int, size: int) -> Page:
            place = {"pageNumber": number, "pageSize": size}
            full = {**body, **place} if paging is None else {**body, paging: place}
            return self.client.page(path, full, what or path)

        with self.client.about(path):
            whole = self.session.read_whole(ask, self.settings.page_size)
        yield Page(whole)

    def check(self) -> str:
        """Log in once."""
        self.session.patiently(self.client.login, "login")
        return "The gateway accepted the address and the login."
