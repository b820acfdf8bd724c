"""SQL of files that runs, logged models and traces keep."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Row,
    delete,
    or_,
    select,
)

from mainspring.domain.run import (
    Artifact,
)
from mainspring.kernel.digests import Digest
from mainspring.store.tables.traces import traces
from mainspring.store.tables.tracking import (
    artifacts,
)
from mainspring.store.tx import Tx
from mainspring.tracking.queries.pairs import insert_into


def put_artifact(tx: Tx, root: str, artifact: Artifact) -> None:
    statement = insert_into(tx, artifacts).values(
        root=root,
        path=artifact.path,
        digest=artifact.digest,
        size_bytes=artifact.size_bytes,
        created_at=tx.now,
    )
    given = statement.excluded
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=["root", "path"],
            set_={
                "digest": given.digest,
                "size_bytes": given.size_bytes,
                "created_at": given.created_at,
            },
        )
    )


def artifact(tx: Tx, root: str, path: str) -> Artifact | None:
    c = artifacts.c
    row = tx.execute(select(artifacts).where(c.root == root, c.path == path)).one_or_none()
    return _artifact(row) if row else None


def list_artifacts(tx: Tx, root: str, prefix: str) -> list[Artifact]:
    query = select(artifacts).where(artifacts.c.root == root).order_by(artifacts.c.path)
    return [_artifact(row) for row in tx.execute(_below(query, prefix))]


def delete_artifacts(tx: Tx, root: str, path: str) -> int:
    """Remove the file at a path and every file below it; the empty path is the root itself."""
    statement = delete(artifacts).where(artifacts.c.root == root)
    return int(tx.execute(_below(statement, path)).rowcount)


def experiment_of_trace(tx: Tx, trace: str) -> str | None:
    """The experiment of a trace, whose files are kept like those of a run."""
    found: str | None = tx.execute(
        select(traces.c.experiment).where(traces.c.id == trace)
    ).scalar_one_or_none()
    return found


def forget_roots(tx: Tx, roots: Sequence[str]) -> None:
    tx.execute(delete(artifacts).where(artifacts.c.root.in_(roots)))


def _below(statement: Any, path: str) -> Any:
    """Restrict to a file, or to the files of a folder."""
    if not path:
        return statement
    below = artifacts.c.path.startswith(path + "/", autoescape=True)
    return statement.where(or_(artifacts.c.path == path, below))


def _artifact(row: Row[Any]) -> Artifact:
    return Artifact(path=row.path, digest=Digest(row.digest), size_bytes=row.size_bytes)
