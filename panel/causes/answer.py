"""What the gateway answers, where that is no whole list of records."""

from collections.abc import Mapping

from panel.causes.cause import KEPT_OR_WHOLE, N_, WAIT, Cause

CAUSES: Mapping[str, Cause] = {
    "E_TRUNCATED": Cause(
        (N_("The gateway's answer broke off before its end."),),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
    "E_NOT_JSON": Cause(
        (N_("The gateway sent a page or broken text instead of data."),),
        KEPT_OR_WHOLE,
        (
            N_(
                "Often this is a sign-in page or a notice of maintenance: open the gateway's address "
                "in a browser. If it looks well, check the address in the settings."
            ),
        ),
    ),
    "E_NOT_JSON:html": Cause(
        (
            N_("The gateway sent a web page instead of data: “{said}”."),
            N_("The gateway sent a web page instead of data."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Often this is a sign-in page or a notice of maintenance: open the gateway's address "
                "in a browser. If it looks well, check the address in the settings."
            ),
        ),
    ),
    "E_NOT_JSON:json": Cause(
        (N_("The gateway sent data that are broken and cannot be read."),),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
    "E_NOT_JSON:charset": Cause(
        (N_("The gateway sent text whose letters cannot be read without guessing."),),
        KEPT_OR_WHOLE,
        (N_("Tell the gateway's support team: its answers should come in UTF-8. The next run tries again."),),
    ),
    "E_NOT_JSON:encoding": Cause(
        (N_("The gateway packs its answers in a way that Hamgam cannot unpack."),),
        KEPT_OR_WHOLE,
        (
            N_(
                "Tell the gateway's support team: answers may come plain or packed as gzip. The next run tries again."
            ),
        ),
    ),
    "E_ENVELOPE": Cause(
        (
            N_("The gateway answered with an error: {said}"),
            N_("The gateway's answer holds no list of records."),
        ),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
    "E_TOO_LARGE": Cause(
        (N_("The gateway's answer is larger than one answer may be."),),
        KEPT_OR_WHOLE,
        (
            N_(
                "Set a smaller page size in the settings, and ask the gateway's support team whether it changed."
            ),
        ),
    ),
    "E_PAGING": Cause(
        (N_("The gateway's pages do not make a whole list: some repeat or are missing."),),
        KEPT_OR_WHOLE,
        (N_("Run it again at a quiet hour, when records do not change while they are read."),),
    ),
    "E_PAGING:repeats": Cause(
        (N_("The gateway sends the same page again and again, whichever page is asked for."),),
        KEPT_OR_WHOLE,
        (
            N_(
                "Tell the gateway's support team: it takes no notice of the page number. The next run tries again."
            ),
        ),
    ),
    "E_PAGING:endless": Cause(
        (N_("The gateway's pages have no end."),),
        KEPT_OR_WHOLE,
        (N_("Tell the gateway's support team: there are always more pages. The next run tries again."),),
    ),
    "E_PAGING:short": Cause(
        (
            N_("The gateway announced {announced} records and sent {got}."),
            N_("The gateway sent fewer records than it announced."),
        ),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
    "E_SCHEMA": Cause(
        (
            N_("The gateway's records no longer have what they must have: {fields}."),
            N_("The gateway's records have changed their shape."),
        ),
        KEPT_OR_WHOLE,
        (N_("Ask the gateway's support team what changed; the fetcher must be brought up to date."),),
    ),
    "E_SCHEMA:type": Cause(
        (
            N_("The gateway sends values of another type: {fields}."),
            N_("The gateway sends values of another type."),
        ),
        KEPT_OR_WHOLE,
        (N_("Ask the gateway's support team what changed; the fetcher must be brought up to date."),),
    ),
    "E_SCHEMA:null": Cause(
        (
            N_("The gateway sends records without their key: {fields}."),
            N_("The gateway sends records without their key."),
        ),
        KEPT_OR_WHOLE,
        (N_("Ask the gateway's support team; the next run tries again."),),
    ),
    "E_SCHEMA:refused": Cause(
        (
            N_("The gateway sends new fields, and this source takes none: {fields}."),
            N_("The gateway sends new fields, and this source takes none."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Look at the page “Schema” of this source. To store them, set “New fields” to “add”"
                " in its settings; to leave them out, to “ignore”. Then sync again."
            ),
        ),
    ),
}
