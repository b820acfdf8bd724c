"""Ids, time, errors, digests, encoding and paging: pure tools that know nothing of machine learning.

A line belongs here if it would be just as true in a program that trains no models. Nothing here reads
a file, a socket, a clock other than through `Clock`, or the environment.
"""
