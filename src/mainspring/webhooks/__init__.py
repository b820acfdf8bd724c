"""Telling other programs over HTTP what happened: webhooks, what is to be delivered to them, and the log of it.

What is to be said is decided by the room in which it happens, which calls `notify` in the same transaction.
"""
