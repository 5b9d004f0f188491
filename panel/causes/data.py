"""The data here: what would vanish, what is half done, what cannot be taken back."""

from collections.abc import Mapping

from panel.causes.cause import KEPT, N_, Cause

CAUSES: Mapping[str, Cause] = {
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
    "E_UNDO:source": Cause(
        (N_("This run wrote a part that the source does not have any more."),),
        N_("Nothing was changed."),
        (N_("Look at the diary of changes: it lists what the run did, row by row."),),
    ),
}
