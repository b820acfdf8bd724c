"""The loops: they look at state, plan by pure rules, and ask for the next operation.

A line belongs here if it decides what should happen next without being asked. Doing it is an operation.
"""
