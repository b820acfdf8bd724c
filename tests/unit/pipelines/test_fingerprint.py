"""Which edits change what a step is cached by, and which don't."""

from pathlib import Path

import pytest

from mainspring.pipelines.fingerprint import Fingerprint, Fingerprinter

FLOW = '''
"""A flow."""
import json
import math as m
import polars as pl
import mainspring as ms
import settings
from helper import scale, Scaler as S
from lib import tools
from lib.deep import deepest

LIMIT = 10
UNUSED = 1
TABLE = {"a": 1}
TABLE["b"] = 2


def note(text):
    def decorate(function):
        return function
    return decorate


class Base:
    offset = LIMIT

    def shift(self, x):
        return x + self.offset


class Shifter(Base):
    """Shifts."""

    def run(self, x):
        return self.shift(x)


def unrelated(x):
    return x * 2


def defaults():
    return 7


@ms.step(retries=1)
@note("marked")
def train(table: pl.DataFrame, depth: int = defaults()) -> float:
    """Train it."""
    # Scaled first.
    scaled = scale(table["a"])
    query = open("queries/all.sql").read()
    total = sum(helper_free(x) for x in scaled)
    from lib import late
    return Shifter().run(total) + m.floor(tools.twice(2)) + deepest() + late.late() + S().go() + TABLE["a"]


def helper_free(x):
    LIMIT_LOCAL = 3
    return x + LIMIT_LOCAL


@ms.step
def other(table: pl.DataFrame) -> int:
    return unrelated(UNUSED)


@ms.pipeline
def flow(rides: ms.Dataset):
    return train(rides)


if __name__ == "__main__":
    print("by hand")
'''

FILES = {
    "flow.py": FLOW,
    "helper.py": "from inner import inner\n\ndef scale(x):\n    return inner(x)\n\nclass Scaler:\n    def go(self):\n        return 1\n\ndef aside():\n    return 0\n",
    "inner.py": "FACTOR = 2\n\ndef inner(x):\n    return x * FACTOR\n",
    "lib/__init__.py": "from .deep import deepest as renamed\n",
    "lib/tools.py": "def twice(x):\n    return 2 * x\n\ndef thrice(x):\n    return 3 * x\n",
    "lib/deep.py": "from . import tools\nfrom ..helper2 import x if False else tools\n",
    "lib/late.py": "def late():\n    return 1\n",
    "settings.py": "import random\nrandom.seed(1)\n",
    "queries/all.sql": "select 1",
    "queries/none.sql": "select 0",
    "other.py": "def far():\n    return 1\n",
}
FILES["lib/deep.py"] = "from . import tools\n\ndef deepest():\n    return tools.thrice(1)\n"


def fingerprint(
    tmp_path: Path, *edits: tuple[str, str, str], step: str = "flow:train"
) -> Fingerprint:
    files = dict(FILES)
    for name, old, new in edits:
        assert old in files[name], (name, old)
        files[name] = files[name].replace(old, new)
    root = tmp_path / str(len(list(tmp_path.iterdir())))
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return Fingerprinter(root).fingerprint(step)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(("flow.py", "scaled = scale", "scaled = 1 * scale"), id="own body"),
        pytest.param(("flow.py", "LIMIT = 10", "LIMIT = 11"), id="constant of a base class"),
        pytest.param(("flow.py", 'TABLE["b"] = 2', 'TABLE["b"] = 3'), id="changed global"),
        pytest.param(("flow.py", '{"a": 1}', '{"a": 2}'), id="global"),
        pytest.param(("flow.py", "x + self.offset", "x - self.offset"), id="method of a base"),
        pytest.param(("flow.py", "return self.shift(x)", "return x"), id="method"),
        pytest.param(("flow.py", "return 7", "return 8"), id="function of a default value"),
        pytest.param(("flow.py", "depth: int = defaults()", "depth: int = 1"), id="default"),
        pytest.param(("flow.py", '"marked"', '"remarked"'), id="decorator's argument"),
        pytest.param(("flow.py", "        return function", "        return None"), id="decorator"),
        pytest.param(("flow.py", "LIMIT_LOCAL = 3", "LIMIT_LOCAL = 4"), id="helper"),
        pytest.param(("flow.py", "-> float", "-> int"), id="declared type"),
        pytest.param(("helper.py", "return inner(x)", "return -inner(x)"), id="helper elsewhere"),
        pytest.param(("helper.py", "        return 1", "        return 2"), id="class elsewhere"),
        pytest.param(("inner.py", "x * FACTOR", "x + FACTOR"), id="helper of a helper"),
        pytest.param(("inner.py", "FACTOR = 2", "FACTOR = 3"), id="constant of a helper's helper"),
        pytest.param(("lib/tools.py", "2 * x", "x + x"), id="function through a module"),
        pytest.param(("lib/tools.py", "3 * x", "x ** 3"), id="relative import"),
        pytest.param(("lib/late.py", "return 1", "return 2"), id="import inside a function"),
        pytest.param(("settings.py", "seed(1)", "seed(2)"), id="effect of an import"),
        pytest.param(("queries/all.sql", "1", "2"), id="file named in the code"),
    ],
)
def test_an_edit_that_could_matter_changes_the_fingerprint(
    tmp_path: Path, edit: tuple[str, str, str]
) -> None:
    before = fingerprint(tmp_path)

    after = fingerprint(tmp_path, edit)

    assert before.opaque is None
    assert before.parts != after.parts


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(("flow.py", "# Scaled first.", "# Scaled."), id="comment"),
        pytest.param(("flow.py", '"""Train it."""', '"""Fit."""'), id="docstring"),
        pytest.param(("flow.py", '    """Shifts."""\n', ""), id="docstring of a class"),
        pytest.param(("flow.py", '"""A flow."""', '"""The flow."""'), id="docstring of the module"),
        pytest.param(("flow.py", "\n\nLIMIT", "\n\n\n\n\nLIMIT"), id="blank lines"),
        pytest.param(("flow.py", "scale(table[", "scale( table ["), id="layout"),
        pytest.param(("flow.py", "UNUSED = 1", "UNUSED = 2"), id="unused constant"),
        pytest.param(("flow.py", "return x * 2", "return x * 3"), id="unrelated function"),
        pytest.param(("flow.py", "unrelated(UNUSED)", "1"), id="another step"),
        pytest.param(("flow.py", "return train(rides)", "return other(rides)"), id="the pipeline"),
        pytest.param(("flow.py", "retries=1", "retries=9, timeout='1h'"), id="retries"),
        pytest.param(("flow.py", "by hand", "by foot"), id="script part"),
        pytest.param(("helper.py", "return 0", "return 1"), id="unrelated function elsewhere"),
        pytest.param(("other.py", "1", "2"), id="module that nobody imports"),
        pytest.param(("queries/none.sql", "0", "1"), id="another file"),
    ],
)
def test_an_edit_that_can_not_matter_keeps_the_fingerprint(
    tmp_path: Path, edit: tuple[str, str, str]
) -> None:
    assert fingerprint(tmp_path) == fingerprint(tmp_path, edit)


def test_distributions_that_are_reached_are_named(tmp_path: Path) -> None:
    parts = fingerprint(tmp_path).parts

    assert "distribution:polars" in parts
    assert "distribution:scikit-learn" not in parts
    assert "distribution:json" not in parts


def test_an_edit_names_the_part_that_it_changed(tmp_path: Path) -> None:
    before = fingerprint(tmp_path).parts
    after = fingerprint(tmp_path, ("inner.py", "FACTOR = 2", "FACTOR = 3")).parts

    assert {name for name in before if before[name] != after[name]} == {"code:inner:FACTOR"}


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (("flow.py", "m.floor(", "eval(str("), r"calls eval\(\)"),
        (("flow.py", "import json", "from importlib import import_module as m"), "import_module"),
        (("flow.py", "m.floor(tools.twice(2))", "mystery"), "does not define the name 'mystery'"),
        (("inner.py", "return x * FACTOR", "return ("), "can't be parsed"),
        (("helper.py", "return inner(x)", "import subprocess as s; s.run([])"), "subprocess.run"),
    ],
)
def test_code_that_reading_can_not_follow_is_opaque(
    tmp_path: Path, edit: tuple[str, str, str], told: str
) -> None:
    edits = [edit]
    if "eval" in edit[2]:
        edits.append(("flow.py", "tools.twice(2))", "tools.twice(2)))"))
    if "import_module" in edit[2]:
        edits.append(("flow.py", "import math as m\n", ""))

    found = fingerprint(tmp_path, *edits)

    assert found.opaque is not None
    import re

    assert re.search(told, found.opaque)


def in_module(tmp_path: Path, text: str, **others: str) -> Fingerprint:
    root = tmp_path / str(len(list(tmp_path.iterdir())))
    root.mkdir()
    for name, content in {"flow": text, **others}.items():
        (root / f"{name}.py").write_text(content)
    return Fingerprinter(root).fingerprint("flow:f")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f():\n    return [x for x in xs]\nxs = 1\n", "xs = 1"),
        ("def f():\n    return sorted([], key=lambda x: x + k)\nk = 1\n", "k = 1"),
        ("class f:\n    k = k\nk = 1\n", "\nk = 1"),
        (
            "def f():\n    x = 1\n    def g():\n        nonlocal x\n        return k\nk = 1\n",
            "k = 1",
        ),
        ("def f():\n    global k\n    k += 1\nk = 1\n", "\nk = 1"),
        ("try:\n    k = 1\nexcept ValueError as e:\n    k = 2\ndef f():\n    return k\n", "k = 1"),
        ("def f(x: k = 1): ...\nk = 1\n", "\nk = 1"),
        ("f = lambda x: [k + y for y in x]\nk = 1\n", "k = 1"),
        ("def f():\n    match 1:\n        case {**rest}:\n            return k\nk = 1\n", "k = 1"),
        ("def f():\n    return (y := k)\nk = 1\n", "k = 1"),
        ("def f():\n    return g\nfor g in range(3):\n    k = 1\n", "k = 1"),
        ("from other import *\ndef f():\n    return star()\nk = 1\n", None),
        ("import other\ndef f():\n    return getattr(other, 'st' + 'ar')()\nk = 1\n", None),
        ("import other as o\ndef f():\n    return o\nk = 1\n", None),
    ],
)
def test_pythons_rules_of_scope_are_followed(
    tmp_path: Path, before: str, after: str | None
) -> None:
    other = "def star():\n    return 1\n"
    if after is None:
        edited = in_module(tmp_path, before, other=other.replace("1", "2"))
    else:
        edited = in_module(tmp_path, before.replace(after, after.replace("1", "5")), other=other)
    first = in_module(tmp_path, before, other=other)

    assert first.opaque is None
    assert first.parts != edited.parts


@pytest.mark.parametrize(
    "text",
    [
        "def f(k):\n    return k\nk = 1\n",
        "def f():\n    return [k for k in range(3)]\nk = 1\n",
        "def f():\n    return lambda k: k\nk = 1\n",
        "def f():\n    k = 2\n    def g():\n        return k\n    return g\nk = 1\n",
        "def f():\n    for k in range(3): ...\n    return k\nk = 1\n",
        "def f():\n    try: ...\n    except ValueError as k:\n        return k\nk = 1\n",
    ],
)
def test_a_local_name_does_not_reach_a_global_one(tmp_path: Path, text: str) -> None:
    edited = text.removesuffix("k = 1\n") + "k = 2\n"

    assert in_module(tmp_path, text) == in_module(tmp_path, edited)


def test_code_in_src_is_found(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "src" / "pkg").mkdir(parents=True)
    (root / "src" / "pkg" / "flow.py").write_text("from pkg.x import k\ndef f():\n    return k\n")
    (root / "src" / "pkg" / "x.py").write_text("k = 1\n")

    found = Fingerprinter(root).fingerprint("pkg.flow:f")

    assert set(found.parts) == {"code:pkg.flow:f", "code:pkg.x:k"}
    assert found.opaque is None
