"""The prediction log: every answer and every label, in append-only segments.

A line belongs here if it is about keeping records whole on disk or reading them back. What a record means
is said in `domain/prediction.py`; what records show is found out by `monitoring`.
"""
