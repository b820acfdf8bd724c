"""Layered layout of a directed graph (Sugiyama, Tagawa and Toda, 1981), without a browser's help.

Nodes stand in columns by their longest path from a source. An edge over several columns is led through
dummy nodes, so that it never runs behind another node. The order within a column is improved by sweeps of
barycentres; then each node is moved as near to its neighbours' mean as the order allows, which is a least
squares problem with order constraints, solved exactly by pooling adjacent violators.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SWEEPS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where each node stands (column, and row as a real number), and the points each edge runs through."""

    places: dict[str, tuple[int, float]]
    edges: dict[tuple[str, str], tuple[tuple[int, float], ...]]
    column_count: int
    row_count: float


def layout(upstream: Mapping[str, Sequence[str]]) -> Layout:
    """Place a graph given as each node's predecessors. Raises `ValueError` if it has a cycle.

    >>> layout({"a": [], "b": ["a"], "c": ["a", "b"]}).places["c"][0]
    2
    """
    columns = _columns(upstream)
    chains = _chains(upstream, columns)
    order = _order(columns, chains)
    rows = _rows(order, chains)
    top = min(rows.values(), default=0.0)
    places = {node: (columns[node], rows[node] - top) for node in upstream}
    edges = {
        (chain[0], chain[-1]): tuple(
            (columns[chain[0]] + i, rows[node] - top) for i, node in enumerate(chain)
        )
        for chain in chains
    }
    tallest = max((row - top for row in rows.values()), default=0.0)
    return Layout(places=places, edges=edges, column_count=len(order), row_count=tallest + 1)


def _columns(upstream: Mapping[str, Sequence[str]]) -> dict[str, int]:
    columns: dict[str, int] = {}
    waiting = dict(upstream)
    while waiting:
        ready = [n for n, before in waiting.items() if all(b in columns for b in before)]
        if not ready:
            raise ValueError(f"the graph has a cycle among {sorted(waiting)}")
        for node in ready:
            columns[node] = 1 + max((columns[b] for b in waiting[node]), default=-1)
        for node in ready:
            del waiting[node]
    return columns


def _chains(upstream: Mapping[str, Sequence[str]], columns: dict[str, int]) -> list[list[str]]:
    """Every edge as the nodes it runs through; dummy nodes are added to `columns`."""
    chains = []
    for target, sources in upstream.items():
        for source in dict.fromkeys(sources):
            chain = [source]
            for column in range(columns[source] + 1, columns[target]):
                dummy = f"\0{source}\0{target}\0{column}"
                columns[dummy] = column
                chain.append(dummy)
            chains.append([*chain, target])
    return chains


def _order(columns: dict[str, int], chains: list[list[str]]) -> list[list[str]]:
    order: list[list[str]] = [[] for _ in range(max(columns.values(), default=-1) + 1)]
    for node, column in columns.items():
        order[column].append(node)
    before, after = _neighbours(chains)
    best, fewest = [list(c) for c in order], _crossings(order, after)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        forward = sweep % 2 == 0
        neighbours = before if forward else after
        indices = range(1, len(order)) if forward else range(len(order) - 2, -1, -1)
        for i in indices:
            fixed = {node: n for n, node in enumerate(order[i - 1 if forward else i + 1])}
            current = {node: float(n) for n, node in enumerate(order[i])}
            order[i].sort(key=lambda node: _mean(neighbours, node, fixed, current[node]))
        if (count := _crossings(order, after)) < fewest:
            best, fewest = [list(c) for c in order], count
    return best


def _neighbours(chains: list[list[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for chain in chains:
        for left, right in itertools.pairwise(chain):
            after.setdefault(left, []).append(right)
            before.setdefault(right, []).append(left)
    return before, after


def _mean(
    neighbours: dict[str, list[str]], node: str, at: Mapping[str, float], default: float
) -> float:
    found = [at[n] for n in neighbours.get(node, ())]
    return sum(found) / len(found) if found else default


def _crossings(order: list[list[str]], after: dict[str, list[str]]) -> int:
    total = 0
    for left, right in itertools.pairwise(order):
        at = {node: n for n, node in enumerate(right)}
        ends = [
            at[target]
            for node in left
            for target in sorted(after.get(node, ()), key=at.__getitem__)
        ]
        total += sum(1 for i, a in enumerate(ends) for b in ends[i + 1 :] if b < a)
    return total


def _rows(order: list[list[str]], chains: list[list[str]]) -> dict[str, float]:
    before, after = _neighbours(chains)
    rows = {node: float(n) for column in order for n, node in enumerate(column)}
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        neighbours = before if forward else after
        for column in order if forward else reversed(order):
            wanted = [_mean(neighbours, node, rows, rows[node]) for node in column]
            rows.update(zip(column, _apart(wanted), strict=True))
    return rows


def _apart(wanted: list[float]) -> list[float]:
    """The positions nearest to those wanted (least squares) that keep their order, one apart."""
    blocks: list[tuple[float, int]] = []  # mean of (wanted - index), and how many share it
    for index, value in enumerate(wanted):
        mean, count = value - index, 1
        while blocks and blocks[-1][0] > mean:
            other, size = blocks.pop()
            mean = (other * size + mean * count) / (size + count)
            count += size
        blocks.append((mean, count))
    offsets = [mean for mean, count in blocks for _ in range(count)]
    return [offset + index for index, offset in enumerate(offsets)]
