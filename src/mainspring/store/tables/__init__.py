"""The tables, one file per room that owns them. Rows are made and read in the rooms' `queries.py`."""
