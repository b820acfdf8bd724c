"""A measure of one's own."""


def weighted_mean_squared_error(eval_df, builtin_metrics):
    from sklearn.metrics import mean_squared_error

    assert builtin_metrics["mean_absolute_error"] >= 0
    return mean_squared_error(
        eval_df["prediction"], eval_df["target"], sample_weight=1 / (eval_df["target"] + 1)
    )
