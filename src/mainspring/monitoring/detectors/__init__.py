"""Detectors: each compares a window's sums with the reference in one way, and says what it found.

A line belongs here if it is statistics. Whether a finding matters is decided in `judge.py`.
"""
