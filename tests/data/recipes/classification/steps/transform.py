"""The lot says nothing of the wine."""

from sklearn.compose import make_column_transformer
from sklearn.preprocessing import StandardScaler


def transformer_fn():
    return make_column_transformer((StandardScaler(), ["acidity", "sugar"]))
