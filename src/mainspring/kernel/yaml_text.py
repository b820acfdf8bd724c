"""YAML 1.2, as most tools write it today: `1e-3` is a number, `yes`, `on` and dates are texts."""

import re
from functools import cache
from typing import Any

_FLOAT = re.compile(
    r"""^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+
    |[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?\.(?:inf|Inf|INF)
    |\.(?:nan|NaN|NAN))$""",
    re.VERBOSE,
)
_INTEGER = re.compile(r"^(?:[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+)$")
_BOOLEAN = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")


def read_yaml(text: str) -> Any:
    """What a YAML text holds; raises `ValueError` for what is none.

    >>> read_yaml("{rate: 1e-3, on: yes, day: 2024-01-02}")
    {'rate': 0.001, 'on': 'yes', 'day': '2024-01-02'}
    """
    import yaml

    try:
        return yaml.load(text, Loader=_loader())
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


@cache
def _loader() -> Any:
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # of an untyped library
        def construct_yaml_int(self, node: Any) -> int:
            text = self.construct_scalar(node)
            # Python reads 0o17 and 0x1F with base 0, which refuses leading zeros that YAML's pattern has none of.
            return int(text, 0)

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in rules if tag.endswith((":null", ":merge"))]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOLEAN, list("tTfF"))
    Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-+0123456789"))
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
    Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_yaml_int)
    return Loader
