"""Backfills: a pipeline's runs for many of its partitions, asked for so many at a time.

A backfill and its partitions are rows. What is due is asked for in one transaction that looks at how its runs are,
so that whoever is killed, or asks twice, loses and doubles nothing.
"""
