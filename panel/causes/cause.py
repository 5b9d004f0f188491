"""What an explanation is made of, and the sentences that many share."""

from dataclasses import dataclass


def N_(text: str) -> str:
    """Mark a text for the catalogue; it is translated when it is shown."""
    return text


@dataclass(frozen=True)
class Cause:
    """The texts of one code. `what` and `todo`: from the most exact to the plainest."""

    what: tuple[str, ...]
    safe: str
    todo: tuple[str, ...]

    @property
    def in_settings(self) -> bool:
        """Whether what there is to do is done in the settings of the source."""
        return any("settings" in text for text in self.todo)


KEPT = N_("Your data are safe: nothing was replaced.")
KEPT_OR_WHOLE = N_("Your data are safe: parts already finished are published, the others stay as they were.")
WAIT = N_(
    "Nothing to do now: the next run tries again. If it goes on for hours, ask the gateway's support team."
)
