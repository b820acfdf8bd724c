"""From the slices of a declared gate to the domain's, with those that can't be cut refused."""

from mainspring.domain.gate import FROM_ROWS, SliceBy, Slices
from mainspring.kernel.errors import Invalid
from mainspring.kernel.toml_lines import Path as Keys
from mainspring.services.explain import Where, dotted
from mainspring.services.file_format import GateTable, SlicesTable


def slices_of(gate: GateTable, table: SlicesTable, path: Keys, where: Where) -> Slices:
    """The slices of a gate's table; raises `Invalid` for what no held-out rows could tell."""
    path = (*path, "slices")
    if gate.metric not in FROM_ROWS:
        raise Invalid(
            f"{dotted(path)} slices {gate.metric!r}, which can't be computed of some of the rows",
            where=where(path),
            hint=f"Slice one of: {', '.join(sorted(FROM_ROWS))}.",
        )
    by = tuple(
        SliceBy(column=each)
        if isinstance(each, str)
        else SliceBy(column=each.column, edges=_growing(each.edges, (*path, "by", index), where))
        for index, each in enumerate(table.by)
    )
    names = [each.column for each in by]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise Invalid(
                f"{dotted((*path, 'by', index))} names {name!r} again",
                where=where((*path, "by", index)),
                hint="Name each column once; depth combines them.",
            )
    if table.depth > len(by):
        raise Invalid(
            f"{dotted((*path, 'depth'))} is {table.depth}, and there are {len(by)} columns",
            where=where((*path, "depth")),
            hint="It says how many columns are combined at most.",
        )
    return Slices(
        by=by,
        depth=table.depth,
        confidence=table.confidence,
        min_rows=table.min_rows,
        proof=table.proof,
        rare=table.rare,
    )


def _growing(edges: list[float], path: Keys, where: Where) -> tuple[float, ...]:
    if edges != sorted(set(edges)):
        raise Invalid(
            f"{dotted((*path, 'edges'))} don't grow",
            where=where(path),
            hint="Each edge lies above the one before it, such as [18, 40, 65].",
        )
    return tuple(edges)
