"""Taking over schemas of TensorFlow Data Validation, and giving schemas back as such. What can't be carried is listed."""

from dataclasses import dataclass
from typing import Any

from mainspring.domain.check import Severity
from mainspring.domain.data_type import DataType
from mainspring.domain.schema import ColumnSchema, Expectation, TableSchema
from mainspring.kernel.errors import Invalid
from mainspring.quality.pbtxt import Message, one, parse_pbtxt, quoted

_TYPES = {
    "BYTES": DataType.STRING,
    "INT": DataType.INTEGER,
    "FLOAT": DataType.FLOAT,
    "STRUCT": DataType.OTHER,
    # As enum numbers, which some tools write.
    "1": DataType.STRING,
    "2": DataType.INTEGER,
    "3": DataType.FLOAT,
    "4": DataType.OTHER,
}
_NAMES = {
    DataType.STRING: "BYTES",
    DataType.INTEGER: "INT",
    DataType.FLOAT: "FLOAT",
    DataType.BOOLEAN: "INT",
    DataType.DATE: "BYTES",
    DataType.DATETIME: "BYTES",
    DataType.OTHER: "STRUCT",
}
_NOT_JUDGED = ("DEPRECATED", "PLANNED", "ALPHA", "DEBUG_ONLY", "DISABLED")
_DRIFT = "column_distribution_to_match_reference"
_COMPARATORS = {
    _DRIFT: "drift_comparator",
    "column_distribution_to_match_training": "skew_comparator",
}
_KNOWN = {
    "name", "type", "presence", "shape", "value_count", "domain", "int_domain", "float_domain",
    "string_domain", "bool_domain", "distribution_constraints", "unique_constraints",
    "drift_comparator", "skew_comparator", "in_environment", "not_in_environment",
    "lifecycle_stage", "annotation", "deprecated",
}  # fmt: skip
_KNOWN_TOP = {
    "feature", "string_domain", "int_domain", "float_domain", "default_environment",
    "dataset_constraints",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedSchema:
    """A schema that was taken over, and in a line each what could not be and why."""

    schema: TableSchema
    left_out: tuple[str, ...]


def from_pbtxt(text: str, dataset: str) -> CarriedSchema:
    """The schema in a `schema.pbtxt`; raises `Invalid` for text that is none."""
    message = parse_pbtxt(text)
    if "feature" not in message:
        raise Invalid("this is no schema of TFDV: it has no feature", code="not_a_tfdv_schema")
    importer = _Importer(message)
    columns = tuple(importer.column(feature) for feature in message["feature"])
    importer.dataset_constraints(one(message, "dataset_constraints", {}))
    for name in message.keys() - _KNOWN_TOP:
        importer.left_out.append(f"{name}: it has no counterpart")
    schema = TableSchema(
        dataset=dataset,
        columns=columns,
        min_row_count=0,
        expectations=tuple(importer.expectations),
    )
    return CarriedSchema(schema=schema, left_out=tuple(importer.left_out))


def to_pbtxt(schema: TableSchema) -> CarriedSchema:
    """A schema for TFDV; `schema_pbtxt` writes it. Here what of it has no place there is listed."""
    left_out = [
        f"{c.name}: {key} has no counterpart"
        for c in schema.columns
        for key in ("pattern", "unique", "increasing", "unit", "private")
        if getattr(c, key)
    ]
    left_out += [
        f"{c.name}: its type {c.type.value} becomes BYTES"
        for c in schema.columns
        if c.type in (DataType.DATE, DataType.DATETIME)
    ]
    left_out += [f"{e.that}: it has no counterpart" for e in schema.expectations if not _carries(e)]
    if schema.key:
        left_out.append("key: it has no counterpart")
    return CarriedSchema(schema=schema, left_out=tuple(left_out))


def schema_pbtxt(schema: TableSchema) -> str:
    """A schema in TFDV's text format."""
    environments = sorted({name for c in schema.columns for name in c.environments})
    lines = [f"default_environment: {quoted(name.upper())}" for name in environments]
    for column in schema.columns:
        lines += [
            "feature {",
            *(f"  {line}" for line in _feature(column, environments, schema)),
            "}",
        ]
    if schema.min_row_count:
        lines += ["dataset_constraints {", f"  min_examples_count: {schema.min_row_count}", "}"]
    return "\n".join(lines) + "\n"


class _Importer:
    def __init__(self, message: Message) -> None:
        self.left_out: list[str] = []
        self.expectations: list[Expectation] = []
        self._environments = [str(name).lower() for name in message.get("default_environment", [])]
        self._domains = {
            kind: {str(one(domain, "name")): domain for domain in message.get(kind, [])}
            for kind in ("string_domain", "int_domain", "float_domain")
        }

    def column(self, feature: Message) -> ColumnSchema:
        name = str(one(feature, "name", ""))
        if not name:
            raise Invalid("a feature has no name", code="not_a_tfdv_schema")
        for field in feature.keys() - _KNOWN:
            self.left_out.append(f"{name}.{field}: it has no counterpart")
        type_ = self._type(name, feature)
        presence = one(feature, "presence", {})
        fraction = float(one(presence, "min_fraction", 0.0))
        is_judged = str(one(feature, "lifecycle_stage", "")) not in _NOT_JUDGED
        is_judged = is_judged and not one(feature, "deprecated", False)
        if not is_judged:
            self.left_out.append(f"{name}.lifecycle_stage: there it is not judged; here it warns")
        if int(one(presence, "min_count", 0)) > 1:
            self.left_out.append(f"{name}.presence.min_count: a count, where we have shares")
        self._comparators(name, feature)
        self._unique(name, feature)
        minimum, maximum, categories = self._domain(name, type_, feature)
        mass = float(one(one(feature, "distribution_constraints", {}), "min_domain_mass", 1.0))
        return ColumnSchema(
            name=name,
            type=DataType.BOOLEAN if "bool_domain" in feature and not categories else type_,
            required=bool(presence) and is_judged,
            max_null_share=round(1 - fraction, 9),
            minimum=minimum,
            maximum=maximum,
            categories=categories or None,
            max_unseen_share=round(1 - mass, 9) if categories else 0.0,
            severity=Severity.BLOCK if is_judged else Severity.WARN,
            environments=self._where(feature),
        )

    def _type(self, name: str, feature: Message) -> DataType:
        counts = one(feature, "value_count", {})
        if int(one(counts, "max", 1)) > 1 or ("shape" in feature and one(feature, "shape")):
            self.left_out.append(f"{name}: how many values a row has is not checked")
            if int(one(counts, "max", 1)) > 1:
                return DataType.OTHER
        given = str(one(feature, "type", ""))
        return _TYPES.get(given, DataType.OTHER)

    def _domain(
        self, name: str, type_: DataType, feature: Message
    ) -> tuple[float | None, float | None, tuple[Any, ...]]:
        shared = one(feature, "domain")
        for kind in ("int_domain", "float_domain"):
            domain = one(feature, kind) or self._domains[kind].get(str(shared))
            if domain is None or type_ not in (DataType.INTEGER, DataType.FLOAT):
                continue
            if one(domain, "disallow_inf"):
                self.left_out.append(f"{name}.{kind}.disallow_inf: infinity is not told apart")
            ends = [one(domain, end) for end in ("min", "max")]
            low, high = (None if end is None else float(end) for end in ends)
            return low, high, ()
        domain = one(feature, "string_domain") or self._domains["string_domain"].get(str(shared))
        if domain is not None:
            values = [str(value) for value in domain.get("value", [])]
            if type_ is DataType.INTEGER:
                return None, None, tuple(int(v) for v in values if v.lstrip("-").isdigit())
            return None, None, tuple(values)
        flags = one(feature, "bool_domain")
        if flags is not None:
            words = [one(flags, key) for key in ("true_value", "false_value")]
            if type_ is DataType.STRING:
                return (
                    None,
                    None,
                    tuple(str(w) for w in words if w is not None) or ("true", "false"),
                )
            if type_ is DataType.INTEGER:
                return None, None, (0, 1)
        if shared is not None and domain is None:
            self.left_out.append(f"{name}.domain: there is no domain {shared!r}")
        return None, None, ()

    def _comparators(self, name: str, feature: Message) -> None:
        self._comparator(name, feature, "skew_comparator", "column_distribution_to_match_training")
        self._comparator(name, feature, "drift_comparator", _DRIFT)

    def _comparator(self, name: str, feature: Message, kind: str, that: str) -> None:
        comparator = one(feature, kind, {})
        for field, measure in (
            ("infinity_norm", "l_infinity"),
            ("jensen_shannon_divergence", "jensen_shannon"),
        ):
            threshold = one(one(comparator, field, {}), "threshold")
            if threshold is not None:
                self.expectations.append(
                    Expectation(
                        that=that,
                        arguments={
                            "column": name,
                            "measure": measure,
                            "threshold": float(threshold),
                        },
                    )
                )
        if "normalized_abs_difference" in comparator:
            self.left_out.append(f"{name}.{kind}.normalized_abs_difference: not known")

    def _unique(self, name: str, feature: Message) -> None:
        unique = one(feature, "unique_constraints")
        if unique is None:
            return
        # An end that is not given is 0 there, of the greatest number too.
        ends = {
            "min_value": float(one(unique, "min", 0)),
            "max_value": float(one(unique, "max", 0)),
        }
        self.expectations.append(
            Expectation(
                that="column_unique_value_count_to_be_between",
                arguments={"column": name, **ends},
            )
        )

    def _where(self, feature: Message) -> tuple[str, ...]:
        given = [str(name).lower() for name in feature.get("in_environment", [])]
        left = {str(name).lower() for name in feature.get("not_in_environment", [])}
        if not given and not left:
            return ()
        return tuple(dict.fromkeys([*given, *(n for n in self._environments if n not in left)]))

    def dataset_constraints(self, constraints: Message) -> None:
        ends = {
            end: one(constraints, f"{word}_examples_count")
            for end, word in (("min_value", "min"), ("max_value", "max"))
        }
        asked = {end: float(value) for end, value in ends.items() if value is not None}
        if asked:
            self.expectations.append(
                Expectation(that="table_row_count_to_be_between", arguments=asked)
            )
        for field in ("num_examples_drift_comparator", "num_examples_version_comparator"):
            comparator = one(constraints, field)
            if comparator is None:
                continue
            fractions = {
                "min_fraction": float(one(comparator, "min_fraction_threshold", 0.0)),
                "max_fraction": float(one(comparator, "max_fraction_threshold", 1e9)),
            }
            self.expectations.append(
                Expectation(that="table_row_count_to_be_near_reference", arguments=fractions)
            )


def _carries(expectation: Expectation) -> bool:
    measure = expectation.arguments.get("measure", "psi")
    return (
        expectation.that in _COMPARATORS and measure in ("l_infinity", "jensen_shannon")
    ) or expectation.that == "column_unique_value_count_to_be_between"


def _feature(column: ColumnSchema, environments: list[str], schema: TableSchema) -> list[str]:
    lines = [f"name: {quoted(column.name)}", f"type: {_NAMES[column.type]}"]
    if column.required:
        count = " min_count: 1" if column.max_null_share < 1 else ""
        lines.append(f"presence {{ min_fraction: {1 - column.max_null_share:.9g}{count} }}")
    if column.type is DataType.BOOLEAN:
        lines.append("bool_domain {}")
    if column.categories:
        values = " ".join(f"value: {quoted(str(v))}" for v in column.categories)
        lines.append(f"string_domain {{ {values} }}")
        if column.max_unseen_share:
            mass = f"{1 - column.max_unseen_share:.9g}"
            lines.append(f"distribution_constraints {{ min_domain_mass: {mass} }}")
    ends = (("min", column.minimum), ("max", column.maximum))
    if column.type.is_numeric and any(end is not None for _, end in ends):
        kind = "int_domain" if column.type is DataType.INTEGER else "float_domain"
        given = " ".join(f"{key}: {end:.17g}" for key, end in ends if end is not None)
        lines.append(f"{kind} {{ {given} }}")
    if column.environments:
        lines += [
            f"not_in_environment: {quoted(name.upper())}"
            for name in environments
            if name not in column.environments
        ] or [f"in_environment: {quoted(name.upper())}" for name in column.environments]
    for expectation in schema.expectations:
        if expectation.arguments.get("column") == column.name and _carries(expectation):
            lines.append(_constraint(expectation))
    return lines


def _constraint(expectation: Expectation) -> str:
    given = expectation.arguments
    if expectation.that == "column_unique_value_count_to_be_between":
        return (
            f"unique_constraints {{ min: {int(given.get('min_value') or 0)} "
            f"max: {int(given.get('max_value') or 0)} }}"
        )
    field = {"l_infinity": "infinity_norm", "jensen_shannon": "jensen_shannon_divergence"}
    kind = _COMPARATORS[expectation.that]
    return f"{kind} {{ {field[given['measure']]} {{ threshold: {given['threshold']} }} }}"
