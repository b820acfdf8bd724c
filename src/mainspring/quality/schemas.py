"""Putting schemas in force, and reading them."""

from mainspring.domain.event import SchemaAccepted
from mainspring.domain.schema import StoredSchema
from mainspring.kernel.codec import digest_of
from mainspring.kernel.errors import Invalid
from mainspring.quality import queries
from mainspring.quality.custom.code import files_of
from mainspring.quality.requests import AcceptSchema, GetSchema
from mainspring.quality.schema_file import parse_schema
from mainspring.store.tx import Tx


def accept_schema(tx: Tx, request: AcceptSchema) -> StoredSchema:
    """Put a schema in force; the text and code that are in force already change nothing.

    Raises `Invalid` if the text does not parse, is the schema of another dataset, or names checks without their code.
    """
    schema = parse_schema(request.toml, name=f"{request.dataset}.schema.toml")
    if schema.dataset != request.dataset:
        raise Invalid(
            f"this is the schema of {schema.dataset!r}, not of {request.dataset!r}",
            code="other_dataset",
            hint="Set its key `dataset`, or accept it for the dataset that it names.",
        )
    files = files_of(schema)
    if files and request.code is None:
        raise Invalid(
            f"the schema names checks in {', '.join(files)}, whose code is not given",
            code="no_check_code",
            hint="`mainspring schema accept` stores the code beside the schema's file with it.",
        )
    code = request.code if files else None
    before = queries.newest_schema(tx, request.dataset)
    if before is not None and (before.toml, before.code) == (request.toml, code):
        return before
    stored = StoredSchema(
        dataset=request.dataset,
        number=before.number + 1 if before else 1,
        digest=digest_of(schema),
        toml=request.toml,
        created_at=tx.now,
        created_by=str(tx.actor),
        code=code,
    )
    queries.add_schema(tx, stored)
    tx.emit(
        SchemaAccepted(
            dataset=stored.dataset,
            number=stored.number,
            digest=stored.digest,
            why=_what_changed(before, stored),
        )
    )
    return stored


def get_schema(tx: Tx, request: GetSchema) -> StoredSchema | None:
    """The schema in force for a dataset, now or at a moment, or None."""
    return queries.newest_schema(tx, request.dataset, by=request.at)


def _what_changed(before: StoredSchema | None, after: StoredSchema) -> str:
    if before is None:
        return "the dataset's first schema"
    if before.digest == after.digest and before.code != after.code:
        return "the code of its own checks changed"
    if before.digest == after.digest:
        return "only comments or layout changed"
    return f"it takes the place of schema {before.number}"
