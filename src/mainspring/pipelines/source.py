"""A module of a project as its definitions: what each name is bound to. Nothing is imported or run."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mainspring.pipelines.mentions import DEFINITION, Import, names_bound_by


@dataclass(slots=True)
class Source:
    """One module. `bindings` maps top-level names to the statements that bind them.

    `effects` are top-level statements that do more than bind a name; they happen whenever the module is
    imported, so whatever comes from the module depends on them. `stars` are modules imported by star.
    """

    name: str
    path: Path
    is_package: bool
    bindings: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, list[Import]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    effects: list[ast.stmt] = field(default_factory=list)

    def imports_in(self, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Import]]:
        """The names that an import statement binds; `*` for a star."""
        if isinstance(node, ast.ImportFrom):
            module = self._absolute(node)
            for alias in node.names:
                yield alias.asname or alias.name, Import(module, alias.name)
            return
        for alias in node.names:
            # `import a.b` binds `a`; what is meant by `a.b` is found from there.
            root = alias.name.partition(".")[0]
            yield (alias.asname, Import(alias.name)) if alias.asname else (root, Import(root))

    def defines(self, name: str) -> bool:
        """Whether the module binds a name to something other than a submodule of that name."""
        others = [each for each in self.imports.get(name, ()) if each != Import(self.name, name)]
        return name in self.bindings or bool(others)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        base = parts[: len(parts) - node.level + (1 if self.is_package else 0)]
        return ".".join([*base, *([node.module] if node.module else [])])


def read_source(name: str, path: Path) -> Source:
    """Parse a module; raises `SyntaxError`."""
    source = Source(name=name, path=path, is_package=path.name == "__init__.py")
    for statement in ast.parse(path.read_bytes(), filename=str(path)).body:
        _file(source, statement)
    return source


def strip(statement: ast.stmt, *, without: Iterable[ast.expr] = ()) -> ast.stmt:
    """A copy of a statement without docstrings and without some decorators."""
    copied: ast.stmt = _Stripped(set(map(id, without))).visit(statement)
    return copied


class _Stripped(ast.NodeTransformer):
    """Copies a tree without docstrings and without some decorators."""

    def __init__(self, without: set[int]) -> None:
        self._without = without

    def generic_visit(self, node: ast.AST) -> ast.AST:
        fields = {}
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                fields[name] = [
                    self.visit(item) if isinstance(item, ast.AST) else item
                    for item in _without_docstring(node, name, value)
                    if id(item) not in self._without
                ]
            else:
                fields[name] = self.visit(value) if isinstance(value, ast.AST) else value
        return type(node)(**fields)


def _without_docstring(node: ast.AST, name: str, body: list[ast.AST]) -> list[ast.AST]:
    if isinstance(node, DEFINITION) and name == "body" and body and _is_docstring(body[0]):
        return body[1:] or [ast.Pass()]
    return body


def _is_docstring(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False


def _file(source: Source, statement: ast.stmt) -> None:
    if _is_docstring(statement) or _is_only_for_others(statement):
        return
    for node in [statement] if isinstance(statement, DEFINITION) else ast.walk(statement):
        if isinstance(node, ast.Import | ast.ImportFrom):
            _file_import(source, node)
    for name in names_bound_by(statement):
        source.bindings.setdefault(name, []).append(statement)
    if not _only_binds(statement):
        source.effects.append(statement)


def _file_import(source: Source, statement: ast.Import | ast.ImportFrom) -> None:
    for name, imported in source.imports_in(statement):
        if name == "*":
            source.stars.append(imported.module)
        else:
            source.imports.setdefault(name, []).append(imported)


def _only_binds(statement: ast.stmt) -> bool:
    match statement:
        case ast.Assign(targets=targets):
            return all(_is_plain(target) for target in targets)
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            return isinstance(target, ast.Name)
    # The last is `type X = ...`, from Python 3.12 on.
    return isinstance(statement, DEFINITION | ast.Import | ast.ImportFrom | ast.Pass) or (
        type(statement).__name__ == "TypeAlias"
    )


def _is_plain(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return all(_is_plain(element) for element in target.elts)
    return isinstance(target, ast.Name)


def _is_only_for_others(statement: ast.stmt) -> bool:
    """`if __name__ == "__main__"` and `if TYPE_CHECKING`: neither happens in a step's process."""
    if not isinstance(statement, ast.If) or statement.orelse:
        return False
    test = ast.unparse(statement.test)
    return test in ("TYPE_CHECKING", "typing.TYPE_CHECKING", "__name__ == '__main__'")
