"""Migrations, in order. A store written by version N opens with every later version.

Write a new one with `python -m mainspring.store.migrations.write NAME`, then add it to `REVISIONS`.
"""

REVISIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
)
