"""The words that a fetcher's author needs; nothing else is imported from here on down.

    from fetchers import Code, Fetcher, JalaliDate, Label, Setting, Text, stream

See docs/write-a-fetcher.md.
"""

from fetchers.core.clean import (
    Code,
    Email,
    Field,
    Integer,
    JalaliDate,
    NationalCode,
    Phone,
    Province,
    Text,
)
from fetchers.core.errors import (
    AuthError,
    ConfigError,
    FetchError,
    GatewayError,
    PagingError,
    SchemaError,
    Transient,
)
from fetchers.core.fetcher import (
    Clash,
    Facet,
    Fetcher,
    HttpSettings,
    Label,
    LatestTable,
    Partition,
    Setting,
    stream,
)
from fetchers.core.wire.envelope import Page

__all__ = [
    "AuthError",
    "Clash",
    "Code",
    "ConfigError",
    "Email",
    "Facet",
    "FetchError",
    "Fetcher",
    "Field",
    "GatewayError",
    "HttpSettings",
    "Integer",
    "JalaliDate",
    "Label",
    "LatestTable",
    "NationalCode",
    "Page",
    "PagingError",
    "Partition",
    "Phone",
    "Province",
    "SchemaError",
    "Setting",
    "Text",
    "Transient",
    "stream",
]
