"""What people set, list or press."""

from collections.abc import Mapping

from panel.causes.cause import KEPT, KEPT_OR_WHOLE, N_, Cause

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
