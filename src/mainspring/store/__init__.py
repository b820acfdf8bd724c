"""Rows: the engine, the transaction, leases, the tables and their migrations.

A line belongs here if it is about keeping rows safely on SQLite or PostgreSQL. The store knows no verb:
what may happen to a row is said in the rooms, whose `queries.py` are the only other place with SQL.
"""
