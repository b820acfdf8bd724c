"""What a piece of code refers to outside itself, by Python's rules of scope. Read from the syntax tree."""

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

Chain = tuple[str, ...]
"""A dotted name, as far as it goes: `a.b.c(...)` gives ("a", "b", "c")."""

FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
DEFINITION = FUNCTION | ast.ClassDef
_COMPREHENSION = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(frozen=True, slots=True)
class Import:
    """What a name means through an import: a module, or `attribute` of one (`*` for all of them)."""

    module: str
    attribute: str | None = None


@dataclass(slots=True)
class Mentions:
    """What a statement refers to.

    `chains` are names that the module's scope resolves, `class_chains` those that a class body may resolve
    as well; `imported` what is taken from imports inside functions; `imports` those imports; `texts` the
    string constants.
    """

    chains: set[Chain] = field(default_factory=set)
    class_chains: set[Chain] = field(default_factory=set)
    imported: set[tuple[Import, Chain]] = field(default_factory=set)
    imports: set[Import] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Scope:
    names: set[str]
    imports: dict[str, list[Import]] = field(default_factory=dict)
    is_class: bool = False


ImportReader = Callable[[ast.Import | ast.ImportFrom], Iterable[tuple[str, Import]]]


def mentions_of(statement: ast.stmt, read_import: ImportReader) -> Mentions:
    """What a top-level statement refers to; `read_import` resolves an import statement of its module."""
    reader = _Reader(read_import)
    reader.visit(statement, [])
    return reader.found


def names_bound_by(node: ast.AST) -> set[str]:
    """Names that a statement binds in the scope that it stands in, imports aside."""
    if isinstance(node, DEFINITION):
        return {node.name}
    names: set[str] = set()
    for inner in _same_scope(node):
        if isinstance(inner, DEFINITION):
            names.add(inner.name)
        elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store | ast.Del):
            names.add(inner.id)
        elif isinstance(inner, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and inner.name:
            names.add(inner.name)
        elif isinstance(inner, ast.MatchMapping) and inner.rest:
            names.add(inner.rest)
    return names


class _Reader:
    def __init__(self, read_import: ImportReader) -> None:
        self.found = Mentions()
        self._read_import = read_import

    def visit(self, node: ast.AST, scopes: list[_Scope]) -> None:
        if chain := _chain(node):
            self._mention(chain, scopes)
            return
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node, scopes)
            case ast.ClassDef():
                self._class(node, scopes)
            case ast.Lambda():
                self._all(_defaults(node.args), scopes)
                self._all([node.body], [*scopes, _Scope(_argument_names(node.args))])
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._comprehension(node, scopes)
            case ast.Import() | ast.ImportFrom():
                self.found.imports.update(imported for _, imported in self._read_import(node))
            case ast.Constant(value=str(text)):
                self.found.texts.add(text)
            case _:
                self._all(ast.iter_child_nodes(node), scopes)

    def _all(self, nodes: Iterable[ast.AST], scopes: list[_Scope]) -> None:
        for node in nodes:
            self.visit(node, scopes)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scopes: list[_Scope]) -> None:
        self._all(node.decorator_list, scopes)
        around = [*scopes, _Scope(_type_parameters(node))]
        self._all(_defaults(node.args), scopes)
        self._all(_annotations(node), around)
        inside = self._scope(node.body)
        inside.names |= _argument_names(node.args)
        self._all(node.body, [*around, inside])

    def _class(self, node: ast.ClassDef, scopes: list[_Scope]) -> None:
        self._all(node.decorator_list, scopes)
        around = [*scopes, _Scope(_type_parameters(node))]
        self._all([*node.bases, *node.keywords], around)
        inside = self._scope(node.body)
        inside.is_class = True
        self._all(node.body, [*around, inside])

    def _comprehension(self, node: _COMPREHENSION, scopes: list[_Scope]) -> None:
        names: set[str] = set()
        for generator in node.generators:
            names |= names_bound_by(generator.target)
        inside = [*scopes, _Scope(names)]
        # The first iterable is evaluated outside.
        self.visit(node.generators[0].iter, scopes)
        for number, generator in enumerate(node.generators):
            self._all([generator.target, *generator.ifs], inside)
            if number:
                self.visit(generator.iter, inside)
        values = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._all(values, inside)

    def _scope(self, body: list[ast.stmt]) -> _Scope:
        scope = _Scope(set())
        elsewhere: set[str] = set()
        for statement in body:
            scope.names |= names_bound_by(statement)
            for node in _same_scope(statement):
                if isinstance(node, ast.Global | ast.Nonlocal):
                    elsewhere.update(node.names)
                elif isinstance(node, ast.Import | ast.ImportFrom):
                    for name, imported in self._read_import(node):
                        scope.imports.setdefault(name, []).append(imported)
        scope.names = (scope.names | set(scope.imports)) - elsewhere
        return scope

    def _mention(self, chain: Chain, scopes: list[_Scope]) -> None:
        for depth, scope in enumerate(reversed(scopes)):
            if chain[0] not in scope.names:
                continue
            if scope.is_class and depth:
                # Functions in a class don't see its names.
                continue
            for imported in scope.imports.get(chain[0], ()):
                self.found.imported.add((imported, chain[1:]))
            if scope.is_class:
                # In `x = x` the class body reads the module's x.
                self.found.class_chains.add(chain)
            return
        self.found.chains.add(chain)


def _chain(node: ast.AST) -> Chain | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else None


def _same_scope(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it that binds names in the same scope; definitions are given, not entered."""
    waiting = [node]
    while waiting:
        inner = waiting.pop()
        yield inner
        if isinstance(inner, _COMPREHENSION):
            # Only `:=` reaches out of a comprehension.
            waiting.extend(n.target for n in ast.walk(inner) if isinstance(n, ast.NamedExpr))
        elif not isinstance(inner, DEFINITION | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(inner))


def _defaults(arguments: ast.arguments) -> list[ast.AST]:
    return [*arguments.defaults, *(default for default in arguments.kw_defaults if default)]


def _annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.AST]:
    annotations = [argument.annotation for argument in _arguments(node.args)]
    return [each for each in [*annotations, node.returns] if each]


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [*named, *(each for each in (arguments.vararg, arguments.kwarg) if each)]


def _argument_names(arguments: ast.arguments) -> set[str]:
    return {argument.arg for argument in _arguments(arguments)}


def _type_parameters(node: ast.AST) -> set[str]:
    return {parameter.name for parameter in getattr(node, "type_params", [])}
