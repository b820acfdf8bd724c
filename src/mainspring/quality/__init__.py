"""What data is like and whether it is as expected: profiles, schemas, checks, reports.

A line belongs here if it describes or judges a table. Comparing windows of predictions over time belongs to
`monitoring`, which reads the profiles made here.
"""
