"""The nouns of the field as frozen values, one noun per file, with the rules that need nothing else.

A line belongs here if it says what a thing *is* (a dataset version, a gate, a rollout) rather than how
it is stored, served or shown. Everything here is pure.
"""
