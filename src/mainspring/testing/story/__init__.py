"""An installation with a past: three services, days of decisions, all made through operations.

It is for tests and for looking at pages. The clock is moved, the data is drawn from a seed; every row was
written by the use case that writes it in production. No model is trained: runs are reported as a worker
would report them. Begin at `tell.py`.
"""
