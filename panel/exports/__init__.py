"""Lists of the data browser as files: made by a process of their own, which says how far it is, and kept for a while.

    click ─► order ─► python -m panel.exports ─► progress ─► file, and a line in the audit trail ─► download

Each has a folder below `instance/exports`, which holds what was ordered, how far it is, and the file.
"""
