"""What a rehearsal found, on a terminal: the first changes of each kind, and whether the real run would be held.

Personal values are masked: what a terminal shows may end in a log.
"""

from panel import diary, explain, rehearsals
from panel.config import Config
from panel.models import SyncRun

LINES_OF_A_KIND = 10
WORDS = {"loaded": "first load", "added": "added", "changed": "changed", "gone": "gone"}


def summary(config: Config, run: SyncRun) -> str:
    """A few lines for people. Raises StorageError."""
    url = rehearsals.diary_url(config, run)
    counts = diary.counts(url, run.uuid)
    lines = ["Nothing was written." + ("" if counts else " Nothing would change.")]
    for kind, word in WORDS.items():
        if kind in counts:
            lines.append(
                f"{word}, {counts[kind]:,} lines:" if kind == "loaded" else f"{word}, {counts[kind]:,} rows:"
            )
            found = diary.page(url, diary.Wanted(run=run.uuid, kind=kind), size=LINES_OF_A_KIND).changes
            places = [(line.stream, line.part, line.key) for line in found if kind == "added" and line.key]
            names = rehearsals.newcomers(config, run, places)
            lines += [
                "  "
                + _line(diary.masked(line, False), names.get((line.stream, line.part, line.key or ""), {}))
                for line in found
            ]
            if counts[kind] > len(found):
                lines.append(f"  … and {counts[kind] - len(found):,} more")
    told = rehearsals.foretold(config, run)
    if told is not None and told.status == "held":
        why = explain.message(told.error_code or "E_SHRUNK", dict(told.error_params))
        lines.append(f"The real run would be held, {run.partitions_held:,} of its parts: {why}")
    return "\n".join(lines)


def _line(line: diary.Change, newcomer: dict[str, object]) -> str:
    where = " ".join(word for word in (line.part, line.key) if word)
    if line.kind == "loaded":
        return f"{where or 'everything'}: {(line.after or {}).get('rows', 0):,} rows"
    if line.kind == "changed":
        facts = [f"{name}: {_shown(before)} → {_shown(after)}" for name, before, after in line.fields]
    else:
        stream = diary.streams().get(line.stream)
        row = newcomer or line.before or {}
        facts = [" ".join(str(row[name]) for name in (stream.search[:2] if stream else ()) if row.get(name))]
    return f"{where}  {', '.join(facts)}".rstrip()


def _shown(value: object) -> str:
    return "–" if value is None or value == "" else str(value)
