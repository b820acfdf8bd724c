"""Our own HTTP API under `/api/v1`, derived from the table of operations.

A line belongs here if it turns HTTP into a `Request` and an answer back into HTTP, for whatever operation.
"""
