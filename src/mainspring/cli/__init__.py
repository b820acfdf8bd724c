"""The command line: reads a terminal and prints to it."""
