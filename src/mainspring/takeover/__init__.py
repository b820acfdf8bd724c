"""Taking over what other tools keep: experiments, runs, files and models, with their ids, numbers and times.

A line belongs here if it reads another tool's store, or writes history that did not happen here. Reading needs
none of those tools installed.
"""
