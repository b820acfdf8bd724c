"""Watching what is served: windows, drift, performance, findings, incidents.

A line belongs here if it compares live predictions with what was expected. What to do about it is decided
in `reconcile`.
"""
