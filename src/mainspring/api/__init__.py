"""The protocols: each module translates a foreign request into ours and our answer back.

A line belongs here if it is about a wire format. Nothing is decided here.
"""
