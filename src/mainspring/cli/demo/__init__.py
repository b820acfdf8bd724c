"""`mainspring demo`: the whole loop on real data, driven from outside like any user would, every claim checked.

`command.py` is the command; `story.py` and its chapters say what happens; `town.py` is the world outside
(rides asked about hour by hour, labels and deliveries that come later); `teller.py` shows it all.
"""
