"""Expectations of real tables: some hold, some don't, some nearly do; every core kind is there."""

from typing import Any

Suite = list[tuple[str, dict[str, Any]]]

FLIGHTS: Suite = [
    ("table_row_count_to_be_between", {"min_value": 1000, "max_value": 1999}),
    ("table_row_count_to_equal", {"value": 2000}),
    ("table_column_count_to_equal", {"value": 15}),
    ("table_column_count_to_be_between", {"min_value": 16}),
    ("table_columns_to_match_set", {"column_set": ["month", "day"], "exact_match": False}),
    ("table_columns_to_match_set", {"column_set": ["month", "year"]}),
    ("table_columns_to_match_ordered_list", {"column_list": ["day", "month"]}),
    ("column_to_exist", {"column": "tailnum"}),
    ("column_to_exist", {"column": "tailnum", "column_index": 3}),
    ("column_to_exist", {"column": "gate"}),
    ("column_values_to_not_be_null", {"column": "dep_time"}),
    ("column_values_to_not_be_null", {"column": "dep_time", "mostly": 0.95}),
    ("column_values_to_be_null", {"column": "arr_delay"}),
    ("column_values_to_be_null", {"column": "arr_delay", "mostly": 0.01}),
    ("column_values_to_be_unique", {"column": "tailnum"}),
    ("column_values_to_be_in_set", {"column": "origin", "value_set": ["JFK", "LGA", "EWR"]}),
    ("column_values_to_be_in_set", {"column": "carrier", "value_set": ["UA", "AA"]}),
    ("column_values_to_not_be_in_set", {"column": "carrier", "value_set": ["OO", "HA"]}),
    ("column_values_to_be_in_set", {"column": "month", "value_set": [1, 2, 3, 12]}),
    ("column_values_to_be_between", {"column": "dep_delay", "min_value": -20, "max_value": 300}),
    (
        "column_values_to_be_between",
        {"column": "dep_delay", "min_value": -20, "max_value": 60, "mostly": 0.9},
    ),
    (
        "column_values_to_be_between",
        {"column": "distance", "min_value": 94, "strict_min": True, "max_value": 4983},
    ),
    ("column_values_to_be_increasing", {"column": "sched_dep_time"}),
    ("column_values_to_be_decreasing", {"column": "month"}),
    ("column_values_to_not_be_outliers", {"column": "arr_delay"}),
    (
        "column_values_to_not_be_outliers",
        {"column": "air_time", "method": "std", "multiplier": 2, "mostly": 0.9},
    ),
    (
        "column_value_z_scores_to_be_less_than",
        {"column": "dep_delay", "threshold": 3, "double_sided": True},
    ),
    (
        "column_value_z_scores_to_be_less_than",
        {"column": "dep_delay", "threshold": 1, "double_sided": False, "mostly": 0.9},
    ),
    ("column_min_to_be_between", {"column": "dep_delay", "min_value": -30, "max_value": 0}),
    ("column_max_to_be_between", {"column": "distance", "max_value": 3000}),
    ("column_mean_to_be_between", {"column": "air_time", "min_value": 100, "max_value": 200}),
    ("column_median_to_be_between", {"column": "arr_delay", "min_value": 0}),
    ("column_stdev_to_be_between", {"column": "arr_delay", "min_value": 10, "max_value": 60}),
    ("column_sum_to_be_between", {"column": "distance", "min_value": 1, "max_value": 10}),
    ("column_unique_value_count_to_be_between", {"column": "origin", "max_value": 3}),
    (
        "column_proportion_of_unique_values_to_be_between",
        {"column": "tailnum", "min_value": 0.9},
    ),
    (
        "column_proportion_of_non_null_values_to_be_between",
        {"column": "arr_time", "min_value": 0.9},
    ),
    (
        "column_quantile_values_to_be_between",
        {
            "column": "arr_delay",
            "quantile_ranges": {
                "quantiles": [0.05, 0.5, 0.95],
                "value_ranges": [[-60, -10], [-10, 0], [None, 50]],
            },
        },
    ),
    (
        "column_most_common_value_to_be_in_set",
        {"column": "carrier", "value_set": ["UA", "B6"]},
    ),
    ("column_distinct_values_to_be_in_set", {"column": "origin", "value_set": ["JFK", "LGA"]}),
    ("column_distinct_values_to_contain_set", {"column": "dest", "value_set": ["ATL", "LAX"]}),
    (
        "column_distinct_values_to_equal_set",
        {"column": "origin", "value_set": ["EWR", "JFK", "LGA"]},
    ),
    ("column_values_to_match_regex", {"column": "tailnum", "regex": "^N[0-9]+"}),
    ("column_values_to_match_regex", {"column": "tailnum", "regex": "^N(?=[1-9])"}),
    ("column_values_to_not_match_regex", {"column": "tailnum", "regex": "AA$"}),
    (
        "column_values_to_match_regex_list",
        {"column": "tailnum", "regex_list": ["^N", "[0-9]{4}"], "match_on": "all"},
    ),
    (
        "column_values_to_match_regex_list",
        {"column": "dest", "regex_list": ["^A", "^B"], "mostly": 0.1},
    ),
    ("column_values_to_not_match_regex_list", {"column": "dest", "regex_list": ["^X", "Q$"]}),
    ("column_value_lengths_to_equal", {"column": "dest", "value": 3}),
    (
        "column_value_lengths_to_be_between",
        {"column": "tailnum", "min_value": 6, "max_value": 6},
    ),
    (
        "column_pair_values_a_to_be_greater_than_b",
        {"column_A": "arr_time", "column_B": "dep_time", "mostly": 0.5},
    ),
    (
        "column_pair_values_a_to_be_greater_than_b",
        {
            "column_A": "arr_delay",
            "column_B": "dep_delay",
            "or_equal": True,
            "ignore_row_if": "either_value_is_missing",
        },
    ),
    (
        "column_pair_values_to_be_equal",
        {"column_A": "sched_dep_time", "column_B": "sched_arr_time"},
    ),
    (
        "column_pair_values_to_be_in_set",
        {
            "column_A": "carrier",
            "column_B": "origin",
            "value_pairs_set": [["UA", "EWR"], ["AA", "LGA"], ["DL", "LGA"], ["B6", "JFK"]],
        },
    ),
    (
        "compound_columns_to_be_unique",
        {"column_list": ["month", "day", "carrier"]},
    ),
    ("multicolumn_sum_to_equal", {"column_list": ["month", "day"], "sum_total": 13}),
    ("multicolumn_values_to_be_equal", {"column_list": ["month", "day"]}),
    (
        "select_column_values_to_be_unique_within_record",
        {"column_list": ["month", "day", "dep_time"]},
    ),
    (
        "column_kl_divergence_to_be_less_than",
        {
            "column": "origin",
            "partition_object": {"values": ["EWR", "JFK", "LGA"], "weights": [0.4, 0.3, 0.3]},
            "threshold": 0.1,
        },
    ),
    (
        "column_kl_divergence_to_be_less_than",
        {
            "column": "distance",
            "partition_object": {
                "bins": [0, 500, 1000, 2000, 5000],
                "weights": [0.1, 0.2, 0.3, 0.4],
            },
            "threshold": 0.1,
        },
    ),
]

TRANSACTIONS: Suite = [
    ("column_values_to_be_unique", {"column": "tx_id"}),
    ("column_values_to_be_increasing", {"column": "tx_id", "strictly": True}),
    ("column_values_to_be_increasing", {"column": "ts"}),
    ("column_values_to_be_decreasing", {"column": "amount", "strictly": True, "mostly": 0.4}),
    ("column_max_to_be_between", {"column": "amount", "max_value": 500}),
    ("column_values_to_be_in_set", {"column": "is_fraud", "value_set": [0, 1]}),
    ("column_values_to_be_in_set", {"column": "is_fraud", "value_set": [0], "mostly": 0.95}),
    (
        "column_pair_values_a_to_be_greater_than_b",
        {"column_A": "label_at", "column_B": "ts"},
    ),
    (
        "column_pair_values_to_be_equal",
        {"column_A": "home_x", "column_B": "merchant_x", "ignore_row_if": "neither"},
    ),
    (
        "select_column_values_to_be_unique_within_record",
        {"column_list": ["merchant_x", "merchant_y"], "ignore_row_if": "any_value_is_missing"},
    ),
    ("column_distinct_values_to_be_in_set", {"column": "scenario", "value_set": [0, 1, 2, 3, 4]}),
    ("column_stdev_to_be_between", {"column": "amount", "min_value": 0, "max_value": 1}),
    ("column_most_common_value_to_be_in_set", {"column": "is_fraud", "value_set": [0]}),
    ("column_values_to_not_be_null", {"column": "merchant_x", "mostly": 0.8}),
    ("column_median_to_be_between", {"column": "amount", "min_value": 10, "max_value": 60}),
    (
        "column_values_to_be_between",
        {"column": "amount", "max_value": 100, "row_condition": "online==True"},
    ),
    (
        "column_mean_to_be_between",
        {"column": "amount", "max_value": 1, "row_condition": "is_fraud==1"},
    ),
]

RETAIL: Suite = [
    ("column_values_to_match_regex", {"column": "InvoiceNo", "regex": "^[0-9]{6}$"}),
    ("column_values_to_match_regex", {"column": "StockCode", "regex": r"^\d{5}[A-Za-z]?$"}),
    ("column_values_to_not_be_null", {"column": "CustomerID"}),
    ("column_values_to_be_between", {"column": "Quantity", "min_value": 1}),
    (
        "column_values_to_be_between",
        {"column": "UnitPrice", "min_value": 0, "strict_min": True, "mostly": 0.999},
    ),
    ("column_values_to_be_unique", {"column": "InvoiceNo"}),
    ("compound_columns_to_be_unique", {"column_list": ["InvoiceNo", "StockCode"]}),
    ("column_value_lengths_to_be_between", {"column": "Description", "max_value": 30}),
    ("column_values_to_be_dateutil_parseable", {"column": "StockCode"}),
    ("column_values_to_be_json_parseable", {"column": "StockCode"}),
    (
        "column_values_to_match_strftime_format",
        {"column": "InvoiceNo", "strftime_format": "%d%m%y"},
    ),
    (
        "column_distinct_values_to_contain_set",
        {"column": "Country", "value_set": ["France", "Chad"]},
    ),
    ("column_sum_to_be_between", {"column": "Quantity", "min_value": 0}),
    (
        "column_values_to_be_in_set",
        {"column": "Country", "value_set": ["United Kingdom"], "mostly": 0.9},
    ),
]

RIDES: Suite = [
    ("column_values_to_be_unique", {"column": "instant"}),
    ("column_values_to_be_between", {"column": "temp", "min_value": 0.1, "max_value": 0.9}),
    ("column_values_to_be_in_set", {"column": "season", "value_set": [1, 2, 3]}),
    ("compound_columns_to_be_unique", {"column_list": ["dteday", "hr"]}),
    (
        "column_pair_values_a_to_be_greater_than_b",
        {"column_A": "cnt", "column_B": "registered", "or_equal": True},
    ),
    (
        "column_quantile_values_to_be_between",
        {
            "column": "cnt",
            "quantile_ranges": {"quantiles": [0.1, 0.9], "value_ranges": [[5, 15], [400, 460]]},
        },
    ),
    ("column_stdev_to_be_between", {"column": "hum", "min_value": 0.1, "max_value": 0.2}),
    ("column_values_to_not_be_outliers", {"column": "windspeed"}),
    (
        "column_values_to_match_json_schema",
        {
            "column": "record",
            "json_schema": {
                "type": "object",
                "properties": {"hum": {"type": "number", "maximum": 0.9}},
                "required": ["hum", "temp"],
            },
        },
    ),
]

SUITES = {"flights": FLIGHTS, "transactions": TRANSACTIONS, "retail": RETAIL, "rides": RIDES}
