"""The pages: server-rendered HTML over the same operations as everything else.

A line belongs here if a person sees it in a browser.
"""
