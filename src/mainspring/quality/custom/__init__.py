"""Checks that people write themselves: functions marked with `@ms.check`, their stored code, and the process that runs them.

Their code is foreign: it is loaded in `child.py`'s process alone, never where a store is open.
"""
