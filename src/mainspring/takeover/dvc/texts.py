"""YAML, JSON and TOML as DVC reads them."""

import json
import tomllib
from pathlib import PurePosixPath
from typing import Any

from mainspring.kernel.errors import Invalid
from mainspring.kernel.yaml_text import read_yaml


def read_text(data: bytes, path: str) -> Any:
    """What a file of parameters, metrics or stages holds; raises `Invalid` for what can't be read.

    >>> read_text(b"rate: 1e-3", "params.yaml")
    {'rate': 0.001}
    """
    ending = PurePosixPath(path).suffix.lower()
    try:
        text = data.decode()
        match ending:
            case ".json":
                return json.loads(text)
            case ".toml":
                return tomllib.loads(text)
            case _:
                return read_yaml(text)
    except (ValueError, UnicodeDecodeError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it is nested too deeply"
        raise Invalid(f"{path} can't be read: {reason}", code="unreadable_file") from error
