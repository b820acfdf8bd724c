"""The kinds of anomaly that TFDV documents, each as a schema and tables: read by its program and by ours.

Only the standard library, so that TFDV's environment can import it.
"""

from typing import Any

Table = dict[str, list[Any]]

NUMBER = 'feature { name: "n" type: INT presence { min_fraction: 1 } %s }'
FLOAT = 'feature { name: "f" type: FLOAT presence { min_count: 1 } %s }'
WORD = 'feature { name: "w" type: BYTES presence { min_count: 1 } domain: "w" %s } string_domain { name: "w" value: "a" value: "b" }'
DRIFT = 'feature { name: "w" type: BYTES presence { min_count: 1 } %s { %s { threshold: %s } } }'
LABEL = (
    'default_environment: "TRAINING" default_environment: "SERVING" '
    + NUMBER % ""
    + ' feature { name: "y" type: FLOAT presence { min_fraction: 1 } not_in_environment: "SERVING" }'
)
ROWS = 200
WORDS = ["a", "b"] * (ROWS // 2)
NUMBERS = list(range(ROWS))


def case(schema: str, table: Table, **more: Any) -> dict[str, Any]:
    return {"schema": schema, "table": table, **more}


CASES: dict[str, dict[str, Any]] = {
    "as expected": case(NUMBER % "", {"n": NUMBERS}),
    "column missing": case(NUMBER % "" + FLOAT % "", {"n": NUMBERS}),
    "column new": case(NUMBER % "", {"n": NUMBERS, "x": NUMBERS}),
    "low fraction present": case(
        'feature { name: "f" type: FLOAT presence { min_fraction: 0.9 } }',
        {"f": [None] * 50 + [1.5] * 150},
    ),
    "enough present": case(
        'feature { name: "f" type: FLOAT presence { min_fraction: 0.7 } }',
        {"f": [None] * 50 + [1.5] * 150},
    ),
    "unexpected value": case(WORD % "", {"w": [*WORDS[:-1], "z"]}),
    "few unexpected values": case(
        WORD % "distribution_constraints { min_domain_mass: 0.9 }",
        {"w": [*WORDS[:-10], *["z"] * 10]},
    ),
    "many unexpected values": case(
        WORD % "distribution_constraints { min_domain_mass: 0.9 }",
        {"w": [*WORDS[:-30], *["z"] * 30]},
    ),
    "small int": case(NUMBER % "int_domain { min: 1 }", {"n": NUMBERS}),
    "big int": case(NUMBER % "int_domain { max: 150 }", {"n": NUMBERS}),
    "int within": case(NUMBER % "int_domain { min: 0 max: 199 }", {"n": NUMBERS}),
    "small float": case(FLOAT % "float_domain { min: 0.5 }", {"f": [n / 100 for n in NUMBERS]}),
    "big float": case(FLOAT % "float_domain { max: 1.5 }", {"f": [n / 100 for n in NUMBERS]}),
    "float for int": case(NUMBER % "", {"n": [n + 0.5 for n in NUMBERS]}),
    "text for int": case(NUMBER % "", {"n": [f"n{n}" for n in NUMBERS]}),
    "int for text": case('feature { name: "w" type: BYTES }', {"w": NUMBERS}),
    "too few different": case(
        'feature { name: "w" type: BYTES unique_constraints { min: 5 max: 9 } }', {"w": WORDS}
    ),
    "too many different": case(
        'feature { name: "w" type: BYTES unique_constraints { min: 1 max: 1 } }', {"w": WORDS}
    ),
    "too few rows": case(
        NUMBER % "" + "dataset_constraints { min_examples_count: 500 }", {"n": NUMBERS}
    ),
    "too many rows": case(
        NUMBER % "" + "dataset_constraints { min_examples_count: 1 max_examples_count: 100 }",
        {"n": NUMBERS},
    ),
    "fewer rows than before": case(
        NUMBER % ""
        + "dataset_constraints { num_examples_drift_comparator { min_fraction_threshold: 0.5 } }",
        {"n": NUMBERS},
        previous={"n": list(range(3 * ROWS))},
    ),
    "as many rows as before": case(
        NUMBER % ""
        + "dataset_constraints { num_examples_drift_comparator { min_fraction_threshold: 0.3 } }",
        {"n": NUMBERS},
        previous={"n": list(range(3 * ROWS))},
    ),
    "label not served": case(LABEL, {"n": NUMBERS}, environment="SERVING"),
    "label not there": case(LABEL, {"n": NUMBERS}, environment="TRAINING"),
}
for _kind, _before in (("drift_comparator", "previous"), ("skew_comparator", "serving")):
    for _measure, _low, _high in (
        ("infinity_norm", 0.1, 0.4),
        ("jensen_shannon_divergence", 0.01, 0.5),
    ):
        for _threshold in (_low, _high):
            CASES[f"{_kind} {_measure} {_threshold}"] = case(
                DRIFT % (_kind, _measure, _threshold),
                {"w": WORDS},
                **{_before: {"w": ["a"] * 150 + ["b"] * 50}},
            )
