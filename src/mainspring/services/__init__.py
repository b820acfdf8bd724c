"""Services: what users declare in `mainspring.toml`, read, checked, applied and kept.

A line belongs here if it turns a declaration into a stored promise. Keeping the promise is the loops' work.
"""
