"""Registered models: versions, aliases, gates, approvals, promotion.

A line belongs here if it is about which model is good enough and what it is called. Answering requests with
it belongs to `serving`.
"""
