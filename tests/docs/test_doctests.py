"""Every example in a docstring is run."""

import doctest
import importlib
import pkgutil

import pytest

import mainspring

# Alembic runs `env` itself, and its versions show no examples.
_NOT_IMPORTABLE = ("mainspring.store.migrations.env", "mainspring.store.migrations.versions")

MODULES = [
    module.name
    for module in pkgutil.walk_packages(mainspring.__path__, "mainspring.")
    if not module.name.startswith(_NOT_IMPORTABLE) and not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_are_true(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))

    assert result.failed == 0
