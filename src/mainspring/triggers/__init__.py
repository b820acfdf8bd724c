"""Triggers: what pipelines run for by themselves, what happened, and which run came of it.

A trigger is a row with a cursor over the store's events and its schedules; what happened is a row too, counted
once. Collecting and asking for runs are transactions, and what to do is decided by a pure function, so that
nothing is lost or doubled by whoever is killed in between. Looking at files and repositories is the loop's.
"""
