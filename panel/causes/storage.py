"""The database and the disk below it."""

from collections.abc import Mapping

from panel.causes.cause import KEPT_OR_WHOLE, N_, Cause

CAUSES: Mapping[str, Cause] = {
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
    "E_STORAGE:login": Cause(
        (N_("The database server does not accept Hamgam’s user name or password."),),
        KEPT_OR_WHOLE,
        (N_("Whoever looks after this server must mend DATA_DATABASE_URL, and start Hamgam again."),),
    ),
    "E_STORAGE:rights": Cause(
        (N_("The database server does not allow Hamgam to write there."),),
        KEPT_OR_WHOLE,
        (
            N_(
                "Whoever looks after the database must give Hamgam’s user the right to create and write tables."
            ),
        ),
    ),
    "E_STORAGE:value": Cause(
        (N_("The database does not take a value that the gateway sent: it does not fit its column."),),
        KEPT_OR_WHOLE,
        (N_("Run it again. If it recurs, send the run’s log to whoever looks after Hamgam."),),
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
}
