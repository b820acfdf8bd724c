"""The command line: reads a terminal, asks for operations, prints what came of them.

A line belongs here if only somebody at a terminal would miss it. What a command does is an operation or a
function of a lower room; here it is given words, options and a face. Nothing heavy is imported before the
command that needs it is known, so `mainspring --help` answers at once.
"""
