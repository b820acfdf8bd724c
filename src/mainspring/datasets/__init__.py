"""Datasets: immutable versions of files by content, their manifests, differences and checkouts.

A line belongs here if it is about which bytes make a version. What is in the bytes (profiles, checks)
belongs to `quality`.
"""
