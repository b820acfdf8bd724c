"""What may be recorded as a version, decided without looking anywhere."""

import re

from mainspring.datasets.requests import NAME_PATTERN, AddDatasetVersion
from mainspring.domain.dataset import DatasetVersion
from mainspring.kernel.errors import Invalid


def check_addition(request: AddDatasetVersion) -> None:
    """Raise `Invalid` for a name or count that can't be right, however the request was made."""
    check_name(request.dataset, what="a dataset")
    if request.file_count < 1 or request.size_bytes < 0 or (request.row_count or 0) < 0:
        raise Invalid(
            f"a version of {request.dataset} can't have {request.file_count} files, "
            f"{request.size_bytes} bytes and {request.row_count} rows"
        )


def check_name(name: str, *, what: str) -> None:
    """Raise `Invalid` for a name that could not stand in a URL, a path and a shell."""
    if not re.fullmatch(NAME_PATTERN, name) or len(name) > 200:
        raise Invalid(
            f"{name[:80]!r} can't name {what}",
            code="bad_name",
            hint="Use letters, digits, `_`, `.` and `-`, beginning with a letter or digit.",
        )


def is_same(newest: DatasetVersion | None, request: AddDatasetVersion) -> bool:
    """Whether the request asks for what is there already, so that nothing needs to change."""
    return (
        newest is not None and newest.manifest == request.manifest and newest.state is request.state
    )
