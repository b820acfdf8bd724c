"""How the inputs are prepared."""

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def transformer_fn():
    return Pipeline(
        steps=[
            (
                "encoder",
                ColumnTransformer(
                    transformers=[
                        ("zone", OneHotEncoder(handle_unknown="ignore"), ["zone"]),
                        ("numbers", StandardScaler(), ["distance", "hour"]),
                    ],
                    sparse_threshold=0,
                ),
            ),
        ]
    )
