"""MLflow's search grammar for traces: that of runs, and spans, assessments, runs and prompts in it."""

from dataclasses import dataclass

from mainspring.domain.search import FieldType, Grammar
from mainspring.kernel.errors import Invalid

NAME_TAG = "mlflow.traceName"

_ENTITIES = {
    "attribute": ("attribute", "attributes", "trace"),
    "tag": ("tag", "tags"),
    "metadata": ("metadata", "request_metadata"),
    "span": ("span",),
    "feedback": ("feedback",),
    "expectation": ("expectation",),
}
_SPAN_FIELDS = ("name", "type", "status")
_ATTRIBUTES_OF_SPANS = "attributes."
# Which values an attribute of a trace has, where it is not one of its own columns.
_ELSEWHERE = {
    "name": ("tag", NAME_TAG, FieldType.PATTERN),
    "run_id": ("run", "run", FieldType.PATTERN),
    "model_id": ("model", "model", FieldType.PATTERN),
    "prompt": ("prompt", "prompt", FieldType.ID),
    "text": ("span", "content", FieldType.CONTENT),
}
ORDERED_BY = ("attribute", "tag", "metadata")


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceGrammar(Grammar):
    """What can be searched of traces. `resolve` also gives the entities `span`, `span_attribute`,
    `feedback`, `expectation`, `run`, `model` and `prompt`."""

    def resolve(self, word: str) -> tuple[str, str, FieldType]:
        """The entity, key and type behind a word such as `span.name`; raises `Invalid`."""
        head, dot, rest = word.partition(".")
        if not dot or head[:1] in "`\"'":
            return self._trace(_unquoted(word))
        entity = next((name for name, words in _ENTITIES.items() if head in words), None)
        key = _unquoted(rest)
        if entity is None:
            raise Invalid(
                f"Invalid entity type '{head}'. Valid entity types are {sorted(_ENTITIES)} "
                "when searching for a trace."
            )
        if not key:
            raise Invalid(f"Invalid identifier {word!r}: it names no key.")
        match entity:
            case "attribute":
                return self._trace(key)
            case "span":
                return _of_span(key)
            case "feedback" | "expectation":
                return entity, key, FieldType.JSON
            case _:
                return entity, key, FieldType.PATTERN_PAIR

    def _trace(self, key: str) -> tuple[str, str, FieldType]:
        if found := _ELSEWHERE.get(key.lower()):
            return found
        name = self.aliases.get(key.lower(), key)
        if name not in self.attributes:
            known = sorted({*self.attributes, *_ELSEWHERE})
            raise Invalid(f"Invalid attribute key '{key}' specified. Valid keys are {known}")
        return "attribute", name, self.attributes[name]


TRACES = TraceGrammar(
    what="trace",
    attributes={
        "request_id": FieldType.PATTERN,
        "experiment_id": FieldType.PATTERN,
        "status": FieldType.PATTERN,
        "client_request_id": FieldType.PATTERN,
        "timestamp_ms": FieldType.NUMBER,
        "execution_time_ms": FieldType.NUMBER,
        "end_time_ms": FieldType.NUMBER,
    },
    aliases={
        "trace_id": "request_id",
        "state": "status",
        "timestamp": "timestamp_ms",
        "execution_time": "execution_time_ms",
        "end_time": "end_time_ms",
    },
)


def _of_span(key: str) -> tuple[str, str, FieldType]:
    if key in _SPAN_FIELDS:
        return "span", key, FieldType.PATTERN
    if key == "content":
        return "span", key, FieldType.CONTENT
    attribute = _unquoted(key.removeprefix(_ATTRIBUTES_OF_SPANS))
    if not key.startswith(_ATTRIBUTES_OF_SPANS) or not attribute:
        raise Invalid(
            f"Invalid span attribute '{key}'. Supported attributes: content, name, status, type, "
            "attributes.<attribute_name>."
        )
    return "span_attribute", attribute, FieldType.PATTERN


def _unquoted(key: str) -> str:
    if len(key) >= 2 and key[0] in '`"' and key[-1] == key[0]:
        return key[1:-1]
    return key
