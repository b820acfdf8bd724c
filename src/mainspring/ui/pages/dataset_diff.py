"""What changed between two versions of a dataset, picked by its reader."""

from dataclasses import dataclass

from mainspring.datasets.requests import (
    GetDatasetVersion,
    GetDatasetVersionById,
    ListDatasetVersions,
)
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.table_diff import Shift, TableDiff
from mainspring.kernel.errors import Corrupt, Invalid, MainspringError
from mainspring.quality.requests import GetSchema
from mainspring.ui.answering import Asked
from mainspring.ui.comparing import compared
from mainspring.ui.pages.profiles import ColumnView, column_views
from mainspring.ui.reader import Reader
from mainspring.ui.rendering import Page

_FILES = 50
_VERSIONS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftLine:
    """How far a column moved, with its picture if it was profiled."""

    shift: Shift
    view: ColumnView | None


def dataset_diff(reader: Reader, asked: Asked) -> Page:
    """Two versions side by side; without a choice, the newest accepted one and its parent."""
    name = asked.path["dataset"]
    versions = reader.ask(ListDatasetVersions(dataset=name, limit=_VERSIONS))
    after = _asked_version(reader, name, asked.get("after"))
    before = _asked_version(reader, name, asked.get("before")) or _before(reader, versions, after)
    after = after or versions[0]
    key = tuple(part.strip() for part in (asked.get("key") or "").split(",") if part.strip())
    found, problem = None, None
    if before is not None:
        try:
            found = _compared(reader, before, after, key or None)
        except (Invalid, Corrupt) as error:
            problem = error
    return Page(
        template="dataset_diff.html",
        title=f"Changes of {name}",
        section="datasets",
        context={
            "name": name,
            "versions": versions,
            "before": before,
            "after": after,
            "key": ", ".join(key),
            "found": found,
            "problem": problem,
            "lines": _lines(reader, found),
            "file_limit": _FILES,
        },
    )


def _asked_version(reader: Reader, name: str, number: str | None) -> DatasetVersion | None:
    if number is None:
        return None
    if not number.isdecimal() or len(number) > 9:
        raise Invalid(f"{number[:40]!r} is not the number of a version of {name!r}")
    return reader.ask(GetDatasetVersion(dataset=name, number=int(number)))


def _before(
    reader: Reader, versions: tuple[DatasetVersion, ...], after: DatasetVersion | None
) -> DatasetVersion | None:
    """The version that another is best compared with: its parent."""
    of = after or versions[0]
    return reader.ask(GetDatasetVersionById(id=of.parent)) if of.parent else None


def _compared(
    reader: Reader, before: DatasetVersion, after: DatasetVersion, key: tuple[str, ...] | None
) -> TableDiff | None:
    stored = reader.ask(GetSchema(dataset=after.dataset))
    return compared(reader.app, before, after, schema=stored.toml if stored else None, key=key)


def _lines(reader: Reader, found: TableDiff | None) -> list[ShiftLine]:
    if found is None:
        return []
    try:
        views = column_views(reader.app.blobs, found.files.after, found.files.before)
    except MainspringError:
        # Pictures are left out; `mainspring fsck` tells of the damage.
        views = []
    by_name = {view.name: view for view in views}
    return [ShiftLine(shift=shift, view=by_name.get(shift.column)) for shift in found.shifts]
