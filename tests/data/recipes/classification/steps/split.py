"""Lots stay together."""

from pandas import Series


def by_lot(table):
    parts = ["TRAINING"] * 6 + ["VALIDATION"] * 2 + ["TEST"] * 2
    return Series([parts[lot % 10] for lot in table["lot"]], index=table.index)
