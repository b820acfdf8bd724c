"""The processes: control (API and pages), controller (loops and pipeline worker), predictor, supervisor.

A line belongs here if it starts, wires or ends a process.
"""
