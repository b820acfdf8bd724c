"""What a step's result depends on besides its inputs: the project's code that it reaches, and the distributions.

The code is read, never run. From the step's function on, every name is followed: helpers and theirs, in other
modules of the project too; classes with their methods and bases; constants; default values; decorators. What
is reached is kept as syntax trees without comments, layout and docstrings, so that only edits that could
matter change the fingerprint. Where reading can't tell (`eval`, an import by a calculated name), the step is
opaque, and not cached: a stale result is worse than a slow one.
"""

import ast
import builtins
import fnmatch
import hashlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mainspring.domain.pipeline import Node
from mainspring.kernel.digests import digest_bytes
from mainspring.kernel.errors import Invalid
from mainspring.pipelines.environment import current_environment, distributions_behind
from mainspring.pipelines.mentions import Chain, Import, Mentions, mentions_of
from mainspring.pipelines.source import Source, read_source, strip

_OPAQUE_CALLS = frozenset({"eval", "exec", "compile", "__import__", "globals"})
_OPAQUE_NAMES = frozenset(
    {
        "importlib.import_module",
        "importlib.__import__",
        "runpy.run_path",
        "runpy.run_module",
        "os.system",
        "os.popen",
    }
)
# Names that Python itself gives to modules, classes and methods.
_GIVEN_NAMES = frozenset(
    [
        "__name__",
        "__file__",
        "__doc__",
        "__package__",
        "__spec__",
        "__path__",
        "__annotations__",
        "__class__",
        "__module__",
        "__qualname__",
    ]
)
_LONGEST_PATH = 200
_STEP_DECORATORS = frozenset({"mainspring.step", "mainspring.pipelines.authoring.step"})
_OURSELVES = "mainspring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Parts by name (`code:flow:train`, `file:limits.json`, `distribution:polars`), each with its version.

    `opaque` says, for people, why the parts may not be all; None if they are.
    """

    parts: dict[str, str]
    opaque: str | None


class Fingerprinter:
    """Reads the code of one project folder; modules are parsed once."""

    def __init__(self, project: Path) -> None:
        self._roots = [root for root in (project, project / "src") if root.is_dir()]
        self._project = project
        self._sources: dict[str, Source | None] = {}

    def fingerprint(self, step: str) -> Fingerprint:
        """The fingerprint of the step `module:qualified_name`."""
        module, _, name = step.partition(":")
        walk = _Walk(self)
        walk.reach(module, name.partition(".")[0])
        walk.finish()
        return Fingerprint(parts=dict(sorted(walk.parts.items())), opaque=walk.opaque)

    def declared(self, node: Node, environment: Mapping[str, str]) -> dict[str, str]:
        """What a step says that it depends on: files of the project, variables (by digest: they may be secret), salt.

        Raises `Invalid` for a pattern that no file fits.
        """
        parts = {"salt": node.salt} if node.salt else {}
        for name in node.env:
            value = environment.get(name)
            parts[f"env:{name}"] = "(unset)" if value is None else digest_bytes(value.encode())
        for pattern in node.files:
            # Code is followed by itself; that which a command runs has to be asked for by name.
            among = self._every_file if pattern.endswith(".py") else self._files
            found = [path for path in among if fnmatch.fnmatchcase(path, pattern)]
            if not found:
                raise Invalid(
                    f"{node.id} depends on files={pattern!r}, and the project's snapshot has none",
                    code="no_such_file",
                    hint="Patterns start at the project's folder; data and files of more than 1 MB are in "
                    "no snapshot: make them a dataset.",
                )
            parts |= {f"file:{path}": self.digest_of(path) for path in found}
        return parts

    def source(self, module: str) -> Source | None:
        """A module of the project; None for one of elsewhere. Raises `SyntaxError`."""
        if module not in self._sources:
            path = self._path_of(module)
            self._sources[module] = read_source(module, path) if path else None
        return self._sources[module]

    def files_named(self, text: str) -> list[str]:
        """Files of the project, code aside, that a text in its code may name: `sql/all.sql`, `all.sql`, `*.sql`."""
        name = text.rpartition("/")[2]
        suffix = Path(name).suffix or (name if name.startswith(".") else "")
        if not suffix or len(text) > _LONGEST_PATH:
            return []
        if name == suffix or "*" in name:
            return [path for path in self._files if path.endswith(suffix)]
        return [path for path in self._files if path.rpartition("/")[2] == name]

    def digest_of(self, relative: str) -> str:
        """The digest of one of the project's files."""
        return digest_bytes((self._project / relative).read_bytes())

    @cached_property
    def _every_file(self) -> list[str]:
        found = (path for path in self._project.rglob("*") if path.is_file())
        return sorted(path.relative_to(self._project).as_posix() for path in found)

    @cached_property
    def _files(self) -> list[str]:
        return [name for name in self._every_file if not name.endswith(".py")]

    def _path_of(self, module: str) -> Path | None:
        parts = module.split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        for root in self._roots:
            base = root.joinpath(*parts)
            for path in (base / "__init__.py", base.with_suffix(".py")):
                if path.is_file():
                    return path
        return None

    def is_namespace(self, module: str) -> bool:
        """Whether a folder without `__init__.py` makes this a package of the project."""
        return any(root.joinpath(*module.split(".")).is_dir() for root in self._roots)


class _Walk:
    """One walk from a step to all that it reaches."""

    def __init__(self, project: Fingerprinter) -> None:
        self._project = project
        self._reached: set[tuple[str, str]] = set()
        self._entered: set[str] = set()
        self._waiting: list[tuple[Source, str, list[ast.stmt]]] = []
        self._external: set[str] = set()
        self.parts: dict[str, str] = {}
        self.opaque: str | None = None

    def reach(self, module: str, name: str) -> None:
        """Follow one name of a module, wherever the module is."""
        if (module, name) in self._reached:
            return
        self._reached.add((module, name))
        source = self._source(module)
        if source is None:
            if not self._reach_submodule(module, name):
                self._external.add(module.partition(".")[0])
            return
        self._enter(source)
        if name in source.bindings:
            self._waiting.append((source, name, source.bindings[name]))
        elif name not in source.imports and self._reach_submodule(module, name):
            return
        for imported in source.imports.get(name, ()):
            self._follow(imported, ())
        if name not in source.bindings and name not in source.imports:
            self._reach_star_or_builtin(source, name)

    def finish(self) -> None:
        """Go on until nothing new is reached, then name the distributions."""
        while self._waiting:
            source, name, statements = self._waiting.pop()
            self._read(source, name, statements)
        for module in sorted(self._external):
            self._reach_distribution(module)

    def _read(self, source: Source, name: str, statements: list[ast.stmt]) -> None:
        texts = []
        for statement in statements:
            own = [d for d in _decorators(statement) if self._makes_a_step(source, d)]
            code = strip(statement, without=own)
            texts.append(ast.dump(code, annotate_fields=False))
            self._follow_mentions(source, mentions_of(code, source.imports_in))
        digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
        self.parts[f"code:{source.name}:{name}"] = digest[:32]

    def _follow_mentions(self, source: Source, mentions: Mentions) -> None:
        for chain in mentions.chains:
            self._follow_chain(source, chain)
        for chain in mentions.class_chains:
            if source.defines(chain[0]):
                self._follow_chain(source, chain)
        for imported, rest in mentions.imported:
            self._follow(imported, rest)
        for imported in mentions.imports:
            if imported.attribute == "*":
                self._reach_all(imported.module)
            else:
                self._enter_module(imported.module)
        for text in mentions.texts:
            for path in self._project.files_named(text):
                self.parts[f"file:{path}"] = self._project.digest_of(path)

    def _follow_chain(self, source: Source, chain: Chain) -> None:
        imports = source.imports.get(chain[0], [])
        for imported in imports:
            self._follow(imported, chain[1:])
        if not imports or chain[0] in source.bindings:
            self.reach(source.name, chain[0])

    def _follow(self, imported: Import, rest: tuple[str, ...]) -> None:
        """Follow an imported name, and what is taken from it."""
        module, chain = imported.module, rest
        if imported.attribute is not None:
            chain = (imported.attribute, *rest)
        # Go down into submodules as far as the names lead.
        while chain and self._leads_down(module, chain[0]):
            self._enter_module(module)
            module, chain = f"{module}.{chain[0]}", chain[1:]
        name = ".".join([module, *chain])
        if module == "subprocess" or any(f"{name}.".startswith(f"{o}.") for o in _OPAQUE_NAMES):
            self._is_opaque(f"it calls {name}()")
        if chain:
            self.reach(module, chain[0])
        else:
            self._reach_all(module)

    def _reach_all(self, module: str) -> None:
        """Follow all of a module: it is handed around as a value, or imported by star."""
        source = self._source(module)
        if source is None:
            if not self._project.is_namespace(module):
                self._external.add(module.partition(".")[0])
            return
        self._enter(source)
        for name in [*source.bindings, *source.imports]:
            self.reach(module, name)
        for star in source.stars:
            self._reach_all(star)

    def _reach_submodule(self, module: str, name: str) -> bool:
        whole = f"{module}.{name}"
        if not self._is_module(whole):
            return False
        self._reach_all(whole)
        return True

    def _reach_star_or_builtin(self, source: Source, name: str) -> None:
        for star in source.stars:
            other = self._source(star)
            if other is None:
                self._external.add(star.partition(".")[0])
            elif name in other.bindings or name in other.imports or other.stars:
                self.reach(star, name)
        if name in _OPAQUE_CALLS:
            self._is_opaque(f"it calls {name}() in {source.path.name}")
        elif not source.stars and not hasattr(builtins, name) and name not in _GIVEN_NAMES:
            self._is_opaque(f"{source.path.name} does not define the name {name!r}")

    def _enter(self, source: Source) -> None:
        """Importing a module runs its top-level effects, and those of the packages around it."""
        if source.name in self._entered:
            return
        self._entered.add(source.name)
        if "." in source.name:
            self._enter_module(source.name.rpartition(".")[0])
        if source.effects:
            self._waiting.append((source, "(top level)", source.effects))
        for imports in source.imports.values():
            for imported in imports:
                self._enter_own(imported)
        for star in source.stars:
            self._enter_own(Import(star))

    def _enter_own(self, imported: Import) -> None:
        """Enter a module of the project that another one imports, be it only for its effects."""
        below = f"{imported.module}.{imported.attribute}" if imported.attribute else None
        for name in (imported.module, below):
            source = self._source(name) if name else None
            if source is not None:
                self._enter(source)

    def _enter_module(self, module: str) -> None:
        source = self._source(module)
        if source is not None:
            self._enter(source)
        elif not self._project.is_namespace(module):
            self._external.add(module.partition(".")[0])

    def _source(self, module: str) -> Source | None:
        try:
            return self._project.source(module)
        except (SyntaxError, ValueError) as error:
            self._is_opaque(f"{module} can't be parsed: {error}")
            return None

    def _leads_down(self, module: str, name: str) -> bool:
        source = self._source(module)
        return self._is_module(f"{module}.{name}") and not (source and source.defines(name))

    def _is_module(self, name: str) -> bool:
        return self._source(name) is not None or self._project.is_namespace(name)

    def _makes_a_step(self, source: Source, decorator: ast.expr) -> bool:
        """`@ms.step(...)`: retries, timeouts and the like don't change what is computed."""
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        root, _, rest = ast.unparse(target).partition(".")
        for imported in source.imports.get(root, ()):
            names = [imported.module, imported.attribute, rest]
            if ".".join(name for name in names if name) in _STEP_DECORATORS:
                return True
        return False

    def _reach_distribution(self, module: str) -> None:
        if module in sys.stdlib_module_names:
            return
        versions = current_environment().distributions
        if module == _OURSELVES:
            # How models and metrics are made is ours; what we require ourselves is not.
            self.parts[f"distribution:{module}"] = versions.get(module, "(source)")
            return
        names = distributions_behind(module)
        for name in names:
            self.parts[f"distribution:{name}"] = versions[name]
        if names:
            return
        if _is_installed(module):
            self._is_opaque(
                f"it imports {module}, which neither the project nor an installed distribution contains"
            )
        else:
            self.parts[f"distribution:{module}"] = "(absent)"

    def _is_opaque(self, why: str) -> None:
        self.opaque = self.opaque or why


def _decorators(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return statement.decorator_list
    return []


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
