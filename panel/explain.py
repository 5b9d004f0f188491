"""Every error code in plain words: what happened, are the data safe, what to do.

A code travels with a few params (host, seconds, part …). People see the sentences in their own language on
the pages (`explain`); the run row and the terminal keep English (`message`). A sentence whose params did not
come gives way to the next, plainer one, so that no page ever shows a hole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LIMIT = 500
PARAM_LIMIT = 160


def N_(text: str) -> str:
    """Mark a text for the catalogue; it is translated when it is shown."""
    return text


@dataclass(frozen=True)
class Cause:
    """The texts of one code. `what` and `todo`: from the most exact to the plainest."""

    what: tuple[str, ...]
    safe: str
    todo: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """What people read: one sentence or two each, in one language."""

    what: str
    safe: str
    todo: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.safe, self.todo) if part)


KEPT = N_("Your data are safe: nothing was replaced.")
KEPT_OR_WHOLE = N_("Your data are safe: parts already finished are published, the others stay as they were.")
WAIT = N_("Nothing to do now: the next run tries again. If it goes on for hours, ask the gateway's keeper.")

# Keys: the code, or code:face where a code has several; the face is one of the params in FACES.
FACES = ("deadline", "reason", "setting")
CAUSES: Mapping[str, Cause] = {
    "E_CONFIG": Cause(
        (
            N_("The setting “{setting}” cannot be used."),
            N_("A setting of this source cannot be used."),
        ),
        KEPT,
        (N_("Open the settings of this source, mend it, and sync again."),),
    ),
    "E_CONFIG:campuses": Cause(
        (N_("No campus is on the list, so there is nothing to fetch."),),
        KEPT,
        (N_("Add the campuses on the page “Campuses”, and sync again."),),
    ),
    "E_SETTINGS": Cause(
        (N_("The settings are not complete: {missing}"), N_("The settings are not complete.")),
        KEPT,
        (N_("Open the settings of this source, fill in what is missing, and press “Test connection”."),),
    ),
    "E_FETCHER": Cause(
        (
            N_("The file of this fetcher cannot be loaded: {detail}"),
            N_("The file of this fetcher cannot be loaded."),
        ),
        N_("Your data are safe: the other sources go on as usual."),
        (N_("Whoever wrote the file must mend it; then restart the panel."),),
    ),
    "E_AUTH": Cause(
        (
            N_("The gateway {host} does not accept the user name or password (status {status})."),
            N_("The gateway does not accept the user name or password."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Enter the right login in the settings and press “Test connection”. "
                "It was tried once only, so that the account is not locked."
            ),
        ),
    ),
    "E_AUTH:token": Cause(
        (
            N_("The gateway {host} lets us log in and then refuses the token that it has just given."),
            N_("The gateway lets us log in and then refuses the token that it has just given."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Ask the gateway's keeper whether this account may read these data. One new login was tried, "
                "and no more, so that the account is not locked."
            ),
        ),
    ),
    "E_GATEWAY": Cause(
        (
            N_("The gateway refused the request (status {status}): {said}"),
            N_("The gateway refused the request (status {status})."),
            N_("The gateway refused the request."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Check the gateway's address in the settings, and ask its keeper whether "
                "this server and this account may read it."
            ),
        ),
    ),
    "E_CONNECT": Cause(
        (
            N_("The gateway {host} could not be reached."),
            N_("The gateway could not be reached."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Check the network and the gateway's address in the settings. "
                "If the network is well, the gateway is down: the next run tries again."
            ),
        ),
    ),
    "E_CONNECT:dns": Cause(
        (
            N_("The name {host} is not known to the network."),
            N_("The gateway's name is not known to the network."),
        ),
        KEPT_OR_WHOLE,
        (N_("Check the gateway's address in the settings, and the server’s name service (DNS)."),),
    ),
    "E_CONNECT:tls": Cause(
        (
            N_("The gateway {host} has a certificate that cannot be trusted."),
            N_("The gateway has a certificate that cannot be trusted."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Ask the gateway's keeper whether its certificate has expired or was changed; "
                "check the server’s clock too. Nothing was sent, so the login is safe."
            ),
        ),
    ),
    "E_CONNECT:tls_expired": Cause(
        (
            N_("The certificate of the gateway {host} has expired, or is not valid yet."),
            N_("The gateway's certificate has expired, or is not valid yet."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Check the server’s clock; if it is right, ask the gateway's keeper for a new certificate. "
                "Nothing was sent, so the login is safe."
            ),
        ),
    ),
    "E_CONNECT:tls_name": Cause(
        (
            N_("The gateway {host} shows a certificate of another name."),
            N_("The gateway shows a certificate of another name."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Enter the gateway's address in the settings by the name in its certificate. "
                "Nothing was sent, so the login is safe."
            ),
        ),
    ),
    "E_CONNECT:tls_authority": Cause(
        (
            N_("The certificate of the gateway {host} is of an authority that this server does not know."),
            N_("The gateway's certificate is of an authority that this server does not know."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "If it is your university's own authority, install its certificate on this server; else ask the "
                "gateway's keeper. Nothing was sent, so the login is safe."
            ),
        ),
    ),
    "E_TIMEOUT": Cause(
        (
            N_("The gateway did not answer within {seconds} seconds."),
            N_("The gateway did not answer in time."),
        ),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
    "E_TIMEOUT:run": Cause(
        (N_("The run took longer than its time limit and was stopped."),),
        KEPT_OR_WHOLE,
        (
            N_(
                "Run it again: it asks only for what is missing. "
                "If it always takes so long, raise the time limit in the settings."
            ),
        ),
    ),
    "E_TIMEOUT:silence": Cause(
        (
            N_("The gateway took the connection and then was silent for {seconds} seconds."),
            N_("The gateway took the connection and then was silent."),
        ),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
    "E_TIMEOUT:name": Cause(
        (
            N_("The name service (DNS) said nothing about {host} within {seconds} seconds."),
            N_("The name service (DNS) did not answer in time."),
        ),
        KEPT_OR_WHOLE,
        (N_("Check the server’s name service (DNS) and its network; then run it again."),),
    ),
    "E_TIMEOUT:connect": Cause(
        (
            N_("No connection to the gateway {host} came about within {seconds} seconds."),
            N_("No connection to the gateway came about in time."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Check the network, and whether a firewall lets this server through. "
                "If both are well, the gateway is down: the next run tries again."
            ),
        ),
    ),
    "E_TIMEOUT:request": Cause(
        (
            N_("The gateway's answer was not complete within {seconds} seconds."),
            N_("The gateway's answer was not complete in time."),
        ),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
    "E_STALLED": Cause(
        (
            N_("Nothing new arrived for {minutes} minutes, so the run was stopped."),
            N_("Nothing new arrived for a long time, so the run was stopped."),
        ),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
    "E_SERVER": Cause(
        (
            N_("The gateway has a fault of its own (status {status})."),
            N_("The gateway has a fault of its own."),
        ),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
    "E_RATE": Cause(
        (N_("The gateway asks for fewer requests and did not let us go on."),),
        KEPT_OR_WHOLE,
        (N_("Lower “Requests per second” in the settings, or sync at a quieter hour."),),
    ),
    "E_UNAVAILABLE": Cause(
        (
            N_(
                "The gateway {host} failed again and again, for all that asked it. Hamgam now asks it one small "
                "question at a time, and goes on by itself when it answers."
            ),
            N_("The gateway failed again and again, so Hamgam asks it only now and then."),
        ),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
    "E_UNAVAILABLE:pause": Cause(
        (
            N_(
                "The gateway {host} has asked for a pause, so it was not asked. Try again in {seconds} seconds."
            ),
            N_("The gateway has asked for a pause, so it was not asked."),
        ),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
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
        (N_("The gateway sent a web page instead of data."),),
        KEPT_OR_WHOLE,
        (
            N_(
                "Often this is a sign-in page or a notice of maintenance: open the gateway's address "
                "in a browser. If it looks well, check the address in the settings."
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
    "E_REDIRECT": Cause(
        (
            N_(
                "The gateway sends us on to another address ({location}); "
                "we did not follow, to protect the login."
            ),
            N_("The gateway sends us on to another address; we did not follow, to protect the login."),
        ),
        KEPT_OR_WHOLE,
        (N_("If the gateway has moved, enter its new address in the settings."),),
    ),
    "E_TOO_LARGE": Cause(
        (N_("The gateway's answer is larger than one answer may be."),),
        KEPT_OR_WHOLE,
        (N_("Set a smaller page size in the settings, and ask the gateway's keeper whether it changed."),),
    ),
    "E_PAGING": Cause(
        (N_("The gateway's pages do not make a whole list: some repeat or are missing."),),
        KEPT_OR_WHOLE,
        (N_("Run it again at a quiet hour, when records do not change while they are read."),),
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
        (N_("Ask the gateway's keeper what changed; the fetcher must be brought up to date."),),
    ),
    "E_SCHEMA:type": Cause(
        (
            N_("The gateway sends values of another type: {fields}."),
            N_("The gateway sends values of another type."),
        ),
        KEPT_OR_WHOLE,
        (N_("Ask the gateway's keeper what changed; the fetcher must be brought up to date."),),
    ),
    "E_SCHEMA:null": Cause(
        (
            N_("The gateway sends records without their key: {fields}."),
            N_("The gateway sends records without their key."),
        ),
        KEPT_OR_WHOLE,
        (N_("Ask the gateway's keeper; the next run tries again."),),
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
    "E_STORAGE": Cause(
        (N_("The database could not be written."),),
        KEPT_OR_WHOLE,
        (N_("Check free space and permissions on the server’s disk, then run it again."),),
    ),
    "E_STORAGE:disk_full": Cause(
        (
            N_("The server’s disk is full: {free} MB are free in {folder}."),
            N_("The server’s disk is full."),
        ),
        KEPT_OR_WHOLE,
        (N_("Make room on the disk, then run it again."),),
    ),
    "E_STORAGE:read_only": Cause(
        (
            N_("{file} may not be written: it, its folder or its disk is read-only."),
            N_("The database may not be written: its file or folder is read-only."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Give the panel’s user the right to write there, then run it again. "
                "A disk that became read-only by itself has found an error: look at the disk first."
            ),
        ),
    ),
    "E_STORAGE:busy": Cause(
        (N_("Another program kept the database locked for too long."),),
        KEPT_OR_WHOLE,
        (N_("Close the program that has the database open, then run it again."),),
    ),
    "E_STORAGE:io": Cause(
        (
            N_("The disk does not read or write {file} as it should."),
            N_("The disk does not read or write as it should."),
        ),
        KEPT_OR_WHOLE,
        (N_("Take a backup, look at the server’s disk and its log, then run it again."),),
    ),
    "E_STORAGE:cannot_open": Cause(
        (
            N_("The database {file} cannot be opened."),
            N_("The database cannot be opened."),
        ),
        KEPT_OR_WHOLE,
        (N_("Check that its folder or server is there and lets the panel’s user in, then run it again."),),
    ),
    "E_STORAGE:gone": Cause(
        (N_("The database server ended the connection, or does not answer."),),
        KEPT_OR_WHOLE,
        (
            N_(
                "Nothing to do now: the next attempt connects again. If it goes on, see whether PostgreSQL runs."
            ),
        ),
    ),
    "E_STORAGE:corrupt": Cause(
        (
            N_("The database file {file} is damaged."),
            N_("The database file is damaged."),
        ),
        N_("What was published before stays; nothing more was written, so that it does not get worse."),
        (
            N_(
                "Do not run it again. Stop Hamgam, put the newest backup back (python -m panel restore newest), "
                "and look at the server’s disk."
            ),
        ),
    ),
    "E_FENCED": Cause(
        (N_("Another engine took over in the middle of this run, so it stopped itself."),),
        KEPT_OR_WHOLE,
        (N_("Run it again. If two panels use one database, stop one of them."),),
    ),
    "E_SHRUNK": Cause(
        (
            N_("The gateway sent far fewer records than before: {gone} of {before} would vanish."),
            N_("The gateway sent far fewer records than before."),
        ),
        N_("Your data are safe: nothing was removed."),
        (
            N_(
                "Look at who would vanish, then decide: accept the loss once, keep the old data, or fetch again. "
                "Until then the old data stay."
            ),
        ),
    ),
    "E_SHRUNK:full": Cause(
        (
            N_(
                "The answer ends where a page is full, as if it were cut off, and does not say how many records there "
                "are: {gone} of {before} would vanish."
            ),
            N_("The gateway sent far fewer records than before."),
        ),
        N_("Your data are safe: nothing was removed."),
        (
            N_(
                "Look at who would vanish, then decide: accept the loss once, keep the old data, or fetch again. "
                "Until then the old data stay."
            ),
        ),
    ),
    "E_MOVED": Cause(
        (N_("What was held can no longer be published: the data have changed since it was fetched."),),
        KEPT,
        (N_("Sync again: everything is fetched and compared anew."),),
    ),
    "E_PARTIAL": Cause(
        (
            N_("{failed} of {planned} parts could not be fetched."),
            N_("Some parts could not be fetched."),
        ),
        N_("Your data are safe: the other parts are published, the failed ones stay as they were."),
        (N_("See below which parts and why. Run it again: it asks only for what is missing."),),
    ),
    "E_UNDO": Cause(
        (N_("This run cannot be undone."),),
        N_("Nothing was changed."),
        (N_("Look at the diary of changes: it lists what the run did, row by row."),),
    ),
    "E_UNDO:nothing": Cause(
        (N_("This run changed nothing, so there is nothing to undo."),),
        N_("Nothing was changed."),
        (N_("Look in the list of runs for the one that made the changes you mean."),),
    ),
    "E_UNDO:diary": Cause(
        (N_("The diary of changes does not reach back to this run any more."),),
        N_("Nothing was changed."),
        (N_("Restore a backup from before that run, or sync the source again."),),
    ),
    "E_UNDO:left": Cause(
        (N_("Everything that this run did was changed again since."),),
        N_("Nothing was changed."),
        (N_("Undo the later runs first, the newest first, and then this one."),),
    ),
    "E_OOM": Cause(
        (N_("The server had no memory left for this run."),),
        KEPT_OR_WHOLE,
        (
            N_(
                "Run it again: it asks only for what is missing. If it recurs, give the server more memory, or end "
                "other programs on it; “Connections at once” may be lowered in the settings too."
            ),
        ),
    ),
    "E_LOST": Cause(
        (N_("The process of this run ended without a word (stopped from outside, or out of memory)."),),
        KEPT_OR_WHOLE,
        (N_("Run it again: it asks only for what is missing. If it recurs, look at the server’s memory."),),
    ),
    "E_INTERRUPTED": Cause(
        (N_("The engine was stopped or restarted in the middle of this run."),),
        KEPT_OR_WHOLE,
        (N_("Run it again: it asks only for what is missing."),),
    ),
    "E_CANCELLED": Cause(
        (
            N_("{by} cancelled this run."),
            N_("This run was cancelled."),
        ),
        KEPT_OR_WHOLE,
        (N_("Run it again when you like: it asks only for what is missing."),),
    ),
    "E_PLAN": Cause(
        (N_("There is no part to fetch: no campus is on the list, or the first term lies in the future."),),
        KEPT,
        (N_("Look at the list of campuses and at the first term in the settings."),),
    ),
    "E_INTERNAL": Cause(
        (N_("A fault in Hamgam itself stopped this run."),),
        KEPT_OR_WHOLE,
        (N_("Run it again. If it recurs, send the run’s log to whoever looks after Hamgam."),),
    ),
}


def explain(code: str | None, params: Mapping[str, Any] | None = None) -> Explanation:
    """The explanation in the reader's language where a page is being made, in English elsewhere."""
    # Here, not above: engine and commands use `message` and should not have to load Flask.
    from flask_babel import gettext

    return _explanation(code, params, gettext)


def english(code: str | None, params: Mapping[str, Any] | None = None) -> Explanation:
    """The explanation in English, whoever asks."""
    return _explanation(code, params, str)


def message(code: str | None, params: Mapping[str, Any] | None = None) -> str:
    """The three sentences in English, as the run row keeps them: at most 500 characters."""
    text = str(english(code, params))
    return text if len(text) <= LIMIT else text[: LIMIT - 1] + "…"


def _explanation(code: str | None, params: Mapping[str, Any] | None, translate: Any) -> Explanation:
    values = {name: _plain(value) for name, value in (params or {}).items() if value not in (None, "", [])}
    faces = [f"{code}:{values[name]}" for name in FACES if name in values]
    cause = next(CAUSES[key] for key in (*faces, code or "", "E_INTERNAL") if key in CAUSES)
    return Explanation(
        _fill(cause.what, values, translate), translate(cause.safe), _fill(cause.todo, values, translate)
    )


def _fill(texts: tuple[str, ...], values: Mapping[str, str], translate: Any) -> str:
    """The first text whose params all came. Only our own texts are formats; params are only ever values."""
    for text in texts:
        try:
            text.format_map(values)
        except KeyError:
            continue
        return str(translate(text)).format_map(values)
    return str(translate(texts[-1]))


def _plain(value: Any) -> str:
    """A param as one short line: lists joined, control characters out (they forge log lines), cut."""
    if isinstance(value, float):
        value = f"{value:g}"
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    text = "".join(char if char.isprintable() else " " for char in text).strip()
    return text if len(text) <= PARAM_LIMIT else text[: PARAM_LIMIT - 1] + "…"
