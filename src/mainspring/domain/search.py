"""MLflow's search grammar: clauses joined by AND, and the fields that results are ordered by.

It is a small language: no OR, no NOT before a clause, no parentheses around one. What a clause may name is
said by a `Grammar`, one for each kind of thing that can be searched.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from mainspring.kernel.errors import Invalid

_MAX_LENGTH = 100_000
_MAX_CLAUSES = 100

_TOKEN = re.compile(
    r"""(?P<operator><=|>=|!=|<>|=|<|>)
      | (?P<mark>[(),])
      | (?P<word>(?:`[^`]*`|"[^"]*"|'[^']*'|[^\s=!<>(),`"'])+)""",
    re.VERBOSE,
)


class FieldType(StrEnum):
    """What a field holds, and so how it can be compared."""

    NUMBER = "number"
    TEXT = "text"
    ID = "id"
    """Text that can also be looked for in a list."""
    PAIR = "pair"
    """Text under a free key, which may be lacking: tags and parameters."""
    PATTERN = "pattern"
    """Text that can be looked for in a list, or by a regular expression."""
    PATTERN_PAIR = "pattern pair"
    """Text under a free key, which may be lacking, also by a regular expression."""
    CONTENT = "content"
    """A long text, in which words are looked for."""
    JSON = "json"
    """A number or a text under a free key, which may be lacking."""


_COMPARISONS = frozenset({"=", "!=", "<", "<=", ">", ">="})
_MATCHES = frozenset({"=", "!=", "LIKE", "ILIKE"})
OPERATORS: Mapping[FieldType, frozenset[str]] = {
    FieldType.NUMBER: _COMPARISONS,
    FieldType.TEXT: _MATCHES,
    FieldType.ID: _MATCHES | {"IN", "NOT IN"},
    FieldType.PAIR: _MATCHES | {"IN", "NOT IN", "IS NULL", "IS NOT NULL"},
    FieldType.PATTERN: _MATCHES | {"IN", "NOT IN", "RLIKE"},
    FieldType.PATTERN_PAIR: _MATCHES | {"RLIKE", "IS NULL", "IS NOT NULL"},
    FieldType.CONTENT: frozenset({"LIKE", "ILIKE"}),
    FieldType.JSON: _MATCHES | _COMPARISONS | {"RLIKE", "IS NULL", "IS NOT NULL"},
}

Value = str | float | tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One comparison: `entity` is `attribute`, `metric`, `param`, `tag` or `dataset`."""

    entity: str
    key: str
    operator: str
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One field that results are ordered by. What lacks it comes last, in both directions."""

    entity: str
    key: str
    is_descending: bool = False


_ENTITY_WORDS = {
    "metric": ("metric", "metrics"),
    "param": ("param", "params", "parameter", "parameters"),
    "tag": ("tag", "tags"),
    "attribute": ("attribute", "attributes", "attr", "run"),
    "dataset": ("dataset", "datasets"),
}
# MLflow's word for it in what it says of a mistake, where ours is another.
_SPELLED = {"param": "parameter"}

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """What can be searched for.

    `attributes` are the type of each attribute by name; `aliases` other names of them. `entities` are the
    kinds of free keys that there are.
    """

    what: str
    attributes: Mapping[str, FieldType]
    entities: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)

    def resolve(self, word: str) -> tuple[str, str, FieldType]:
        """The entity, key and type behind a word such as `metrics.rmse`; raises `Invalid`."""
        entity, key = _split(word)
        canonical = next((name for name, words in _ENTITY_WORDS.items() if entity in words), None)
        if canonical == "attribute":
            return self._attribute(key)
        if canonical is None or canonical not in self.entities:
            raise Invalid(
                f"Invalid entity type '{entity[:100]}'. Valid values are {self._known()}",
                hint=f"When searching for a {self.what}.",
            )
        if not key:
            raise Invalid(f"Invalid identifier {word!r}: it names no key.")
        if canonical == "metric":
            return canonical, key, FieldType.NUMBER
        if canonical == "dataset":
            if key not in ("name", "digest", "context"):
                raise Invalid(
                    f"Invalid dataset key '{key[:100]}' specified. "
                    "Valid keys are '{'name', 'digest', 'context'}'"
                )
            return canonical, key, FieldType.ID
        return canonical, key, FieldType.PAIR

    def _attribute(self, key: str) -> tuple[str, str, FieldType]:
        name = self.aliases.get(key.lower(), key)
        if name not in self.attributes:
            raise Invalid(
                f"Invalid attribute key '{key[:100]}' specified. "
                f"Valid keys are '{sorted(self.attributes)}'"
            )
        return "attribute", name, self.attributes[name]

    def _known(self) -> list[str]:
        known = {"attribute", *self.entities}
        return [_SPELLED.get(name, name) for name in _ENTITY_WORDS if name in known]

    @property
    def lists(self) -> list[str]:
        """The attributes that can be looked for in a list."""
        return sorted(n for n, t in self.attributes.items() if "IN" in OPERATORS[t])


@dataclass(slots=True)
class _Token:
    kind: str
    text: str

    def is_word(self, word: str) -> bool:
        return self.kind == "word" and self.text.upper() == word


def parse_filter(text: str, grammar: Grammar) -> tuple[Clause, ...]:
    """The clauses of a filter; raises `Invalid` with the part that can't be read.

    >>> runs = Grammar(what="run", attributes={}, entities=frozenset({"metric"}))
    >>> [(c.key, c.operator, c.value) for c in parse_filter("metrics.rmse < 3.5 and metric.`a b`=1", runs)]
    [('rmse', '<', 3.5), ('a b', '=', 1.0)]
    """
    tokens = list(_tokens(text))
    if not tokens:
        return ()
    clauses = []
    position = 0
    while True:
        clause, position = _clause(tokens, position, text, grammar)
        clauses.append(clause)
        if len(clauses) > _MAX_CLAUSES:
            raise Invalid(f"a filter may have {_MAX_CLAUSES} clauses")
        if position == len(tokens):
            return tuple(clauses)
        if not tokens[position].is_word("AND") or position + 1 == len(tokens):
            raise _unreadable(text, tokens[position].text)
        position += 1


def parse_order(fields: Sequence[str], grammar: Grammar) -> tuple[Order, ...]:
    """The fields of an order; raises `Invalid` for one that can't be read or that comes twice.

    >>> parse_order(["tags.`a b` desc"], Grammar(what="run", attributes={}, entities=frozenset({"tag"})))
    (Order(entity='tag', key='a b', is_descending=True),)
    """
    found: list[Order] = []
    for text in fields:
        tokens = list(_tokens(text))
        is_descending = len(tokens) > 1 and tokens[-1].is_word("DESC")
        if is_descending or (len(tokens) > 1 and tokens[-1].is_word("ASC")):
            tokens.pop()
        # `run name` may stand there without quotes: clients send it so.
        word = " ".join(token.text for token in tokens)
        is_one = len(tokens) == 1 or word.rpartition(".")[2].lower() in grammar.aliases
        if not is_one or any(token.kind != "word" for token in tokens):
            raise Invalid(f"Invalid order_by clause '{text[:200]}'. Could not be parsed.")
        entity, key, _ = grammar.resolve(word)
        if any((each.entity, each.key) == (entity, key) for each in found):
            raise Invalid(f"`order_by` contains duplicate fields: {fields!r}")
        found.append(Order(entity=entity, key=key, is_descending=is_descending))
    return tuple(found)


def _tokens(text: str) -> Iterator[_Token]:
    if len(text) > _MAX_LENGTH:
        raise Invalid(f"a filter may be {_MAX_LENGTH} characters long, this one has {len(text)}")
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        found = _TOKEN.match(text, position)
        if found is None:
            raise _unreadable(text, text[position : position + 20])
        position = found.end()
        yield _Token(kind=str(found.lastgroup), text=found.group())


def _clause(
    tokens: Sequence[_Token], position: int, text: str, grammar: Grammar
) -> tuple[Clause, int]:
    word = tokens[position]
    if word.kind != "word" or word.text[0] == "'":
        raise _unreadable(text, word.text)
    operator, after = _operator(tokens, position + 1, text)
    entity, key, type_ = grammar.resolve(word.text)
    if operator not in OPERATORS[type_]:
        raise _wrong_operator(operator, entity, key, type_, grammar)
    value: Value = None
    if operator in ("IN", "NOT IN"):
        value, after = _list(tokens, after, text)
    elif not operator.startswith("IS "):
        if after >= len(tokens) or tokens[after].kind != "word":
            raise _unreadable(text, word.text)
        value = _scalar(tokens[after].text, type_, entity, key)
        after += 1
    return Clause(entity=entity, key=key, operator=operator, value=value), after


def _operator(tokens: Sequence[_Token], position: int, text: str) -> tuple[str, int]:
    words = [token.text.upper() for token in tokens[position : position + 3]]
    for known in ("IS NOT NULL", "IS NULL", "NOT IN", "LIKE", "ILIKE", "RLIKE", "IN"):
        parts = known.split()
        if words[: len(parts)] == parts:
            return known, position + len(parts)
    if words and tokens[position].kind == "operator":
        return ("!=" if words[0] == "<>" else words[0]), position + 1
    raise _unreadable(text, tokens[min(position, len(tokens) - 1)].text)


def _list(tokens: Sequence[_Token], position: int, text: str) -> tuple[tuple[str, ...], int]:
    values: list[str] = []
    wanted = "("
    for index in range(position, len(tokens)):
        token = tokens[index]
        if wanted == "value":
            values.append(_quoted(token.text, "a list"))
            wanted = ",)"
        elif token.kind == "mark" and token.text in wanted:
            if token.text == ")":
                return tuple(values), index + 1
            wanted = "value"
        else:
            break
    raise _unreadable(text, "a list is written ('a', 'b')")


def _wrong_operator(
    operator: str, entity: str, key: str, type_: FieldType, grammar: Grammar
) -> Invalid:
    if operator.startswith("IS "):
        return Invalid(
            "IS NULL / IS NOT NULL is only supported for tags and params, "
            f"not for '{entity}' '{key[:100]}'"
        )
    if operator in ("IN", "NOT IN") and entity == "attribute":
        return Invalid(
            f"Only {grammar.lists} attributes support comparison with a list of quoted string values."
        )
    return Invalid(f"Invalid comparator '{operator}' not one of '{sorted(OPERATORS[type_])}'")


def _scalar(text: str, type_: FieldType, entity: str, key: str) -> str | float:
    is_number = type_ is FieldType.NUMBER or (type_ is FieldType.JSON and text[0] not in "'\"")
    if not is_number:
        return _quoted(
            text, _QUOTED_FOR.get(entity, f"{_SPELLED.get(entity, entity)} (e.g. 'my-value')")
        )
    # Python would take `nan`, `1_000` and digits of other scripts too.
    if not _NUMBER.match(text):
        of = f"numeric attribute: {key}" if entity == "attribute" else entity
        raise Invalid(f"Expected numeric value type for {of}. Found {text[:100]}")
    return float(text)


_QUOTED_FOR = {"attribute": "attributes", "dataset": "dataset attributes"}


def _quoted(text: str, of: str) -> str:
    mark = text[0]
    if mark not in "'\"" or len(text) < 2 or text[-1] != mark:
        raise Invalid(f"Expected a quoted string value for {of}. Got value {text[:100]}")
    return text[1:-1].replace(mark * 2, mark)


def _split(word: str) -> tuple[str, str]:
    """`tags.a.b` is the key `a.b` of a tag; a bare key is an attribute's."""
    head, dot, rest = word.partition(".")
    if len(head) > 2 and head[0] == head[-1] == "`":
        head = head[1:-1]
    if not dot or head[:1] in "`\"'":
        return "attribute", _unquoted(word)
    return head, _unquoted(rest)


def _unquoted(key: str) -> str:
    if len(key) >= 2 and key[0] in "`\"'" and key[-1] == key[0]:
        return key[1:-1]
    return key


def _unreadable(text: str, part: str) -> Invalid:
    return Invalid(
        f"Invalid clause(s) in filter string: {part[:200]!r}",
        hint=f"In {text[:200]!r}. Clauses are joined by AND; there is no OR, NOT or parenthesis.",
    )
