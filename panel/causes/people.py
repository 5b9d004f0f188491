"""What people set, list or press."""

from collections.abc import Mapping

from panel.causes.cause import KEPT, KEPT_OR_WHOLE, N_, Cause

CAUSES: Mapping[str, Cause] = {
    "E_CONFIG": Cause(
        (
            N_("The value of “{setting}” in the settings is not right."),
            N_("A value in the settings of this source is not right."),
        ),
        KEPT,
        (N_("Open the settings of this source, mend it, and sync again."),),
    ),
    "E_CONFIG:campuses": Cause(
        (N_("No campus is on the list, so there is nothing to fetch."),),
        KEPT,
        (N_("Add the campuses on the page “Campuses”, and sync again."),),
    ),
    "E_CONFIG:base_url": Cause(
        (N_("The gateway's address cannot be used, or no login service answers there."),),
        KEPT,
        (
            N_(
                "Open the settings of this source, compare the address with the one that the gateway's support team "
                "gave you (such as https://gateway.example.ac.ir), and press “Test connection”."
            ),
        ),
    ),
    "E_CONFIG:username": Cause(
        (N_("The gateway's user name is not set."),),
        KEPT,
        (N_("Open the settings of this source, enter the login, and press “Test connection”."),),
    ),
    "E_CONFIG:password": Cause(
        (N_("The gateway's password is not set."),),
        KEPT,
        (N_("Open the settings of this source, enter the login, and press “Test connection”."),),
    ),
    "E_CONFIG:database": Cause(
        (N_("The address of the database that data are written to cannot be used."),),
        KEPT,
        (N_("Whoever looks after this server must mend DATA_DATABASE_URL, and start Hamgam again."),),
    ),
    "E_CONFIG:fields": Cause(
        (N_("A column of this source cannot be stored as its fetcher declares it."),),
        KEPT,
        (N_("Whoever wrote the fetcher must mend it; the run’s log names the column."),),
    ),
    "E_SETTINGS": Cause(
        (N_("The settings are not complete: {missing}"), N_("The settings are not complete.")),
        KEPT,
        (N_("Open the settings of this source, fill in what is missing, and press “Test connection”."),),
    ),
    "E_SETTINGS:sealed": Cause(
        (N_("The saved passwords cannot be opened: they were locked with another secret key."),),
        KEPT,
        (
            N_(
                "Put the secret key (instance/secret.key) back from the backup of the same day, "
                "or enter the passwords again in the settings."
            ),
        ),
    ),
    "E_PLAN": Cause(
        (N_("There is no part to fetch: no campus is on the list, or the first term lies in the future."),),
        KEPT,
        (N_("Look at the list of campuses and at the first term in the settings."),),
    ),
    "E_CANCELLED": Cause(
        (
            N_("{by} cancelled this run."),
            N_("This run was cancelled."),
        ),
        KEPT_OR_WHOLE,
        (N_("Run it again when you like: it asks only for what is missing."),),
    ),
}
