"""Commands written by hand, a file per subject; those derived from the table are made by `derive.py`."""
