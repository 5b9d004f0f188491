"""Hamgam itself: its engine, its processes, its fetchers' files."""

from collections.abc import Mapping

from panel.causes.cause import KEPT_OR_WHOLE, N_, WAIT, Cause

CAUSES: Mapping[str, Cause] = {
    "E_STALLED": Cause(
        (
            N_("Nothing new arrived for {minutes} minutes, so the run was stopped."),
            N_("Nothing new arrived for a long time, so the run was stopped."),
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
        (
            N_(
                "The program of this run was closed without a word (stopped from outside, or the memory ran out)."
            ),
        ),
        KEPT_OR_WHOLE,
        (N_("Run it again: it asks only for what is missing. If it recurs, look at the server’s memory."),),
    ),
    "E_INTERRUPTED": Cause(
        (N_("The engine was stopped or restarted in the middle of this run."),),
        KEPT_OR_WHOLE,
        (N_("Run it again: it asks only for what is missing."),),
    ),
    "E_FENCED": Cause(
        (N_("Another engine took over in the middle of this run, so it stopped itself."),),
        KEPT_OR_WHOLE,
        (N_("Run it again. If two panels use one database, stop one of them."),),
    ),
    "E_FETCHER": Cause(
        (
            N_("The program that reads this source (its fetcher) has a mistake: {detail}"),
            N_("The program that reads this source (its fetcher) has a mistake."),
        ),
        N_("Your data are safe: the other sources go on as usual."),
        (N_("Whoever wrote the file must mend it; then restart the panel."),),
    ),
    "E_INTERNAL": Cause(
        (N_("A fault in Hamgam itself stopped this run."),),
        KEPT_OR_WHOLE,
        (N_("Run it again. If it recurs, send the run’s log to whoever looks after Hamgam."),),
    ),
}
