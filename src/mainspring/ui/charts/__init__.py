"""Charts as inline SVG: pure functions from numbers to markup.

A chart stretches with its column while its letters keep their size: coordinates along x are percentages,
lines are drawn in a stretched inner picture. Colours come from the style sheet, so a chart follows the
theme. Each chart has a text alternative and its numbers as a table.
"""
