"""How quick the panel's lists are where a whole university is kept: people, terms, runs; and how long a file takes.

gateway ─► a real run loads all terms ─► the panel's pages over HTTP ─► a file of 200,000 rows
"""
