"""Storage locations, which mean something only here.

A location is `mlflow-artifacts:/<root>/<path>`, and a root is one of
    <experiment>/<run>/artifacts
    <experiment>/models/<logged model>/artifacts
    <experiment>/traces/<trace>/artifacts
    versions/<model version>/artifacts        read only: the very bytes that were registered
Whatever else a client sends is refused; no location is ever a path or URL that the server follows.
"""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote

from mainspring.blobs.trees import check_relative
from mainspring.domain.logged_model import LoggedModel
from mainspring.domain.model import ModelVersion
from mainspring.domain.run import Run
from mainspring.kernel.errors import Invalid
from mainspring.tracking.artifacts import root_of_model, root_of_run, root_of_trace

SCHEME = "mlflow-artifacts:"
_VERSIONS = "versions"
_LONGEST = 1000
# Control characters, surrogates, line and paragraph separators; and what turns the direction of writing.
_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A root and a path below it. `version` is the id of a model version, for the roots of those."""

    root: str
    path: str
    version: str | None = None


def run_root(run: Run) -> str:
    """Where a run's files are."""
    return root_of_run(run.experiment, run.id)


def model_root(model: LoggedModel) -> str:
    """Where a logged model's files are."""
    return root_of_model(model.experiment, model.id)


def version_root(version: ModelVersion) -> str:
    """Where a registered version's files are."""
    return f"{_VERSIONS}/{version.id}/artifacts"


def uri_of(root: str, path: str = "") -> str:
    """The location as clients keep it."""
    return f"{SCHEME}/{root}" + (f"/{path}" if path else "")


def location_of(text: str) -> Location:
    """Read `<root>/<path>`; raises `Invalid` for anything that isn't one.

    >>> location_of("0/run_1/artifacts/model/MLmodel")
    Location(root='0/run_1/artifacts', path='model/MLmodel', version=None)
    """
    given = text.strip("/")
    if given:
        check_spelling(given)
    match given.split("/"):
        case ["versions", version, "artifacts", *rest]:
            root = f"{_VERSIONS}/{version}/artifacts"
            return Location(root=root, path="/".join(rest), version=version)
        case [experiment, "models", model, "artifacts", *rest]:
            return Location(root=root_of_model(experiment, model), path="/".join(rest))
        case [experiment, "traces", trace, "artifacts", *rest]:
            return Location(root=root_of_trace(experiment, trace), path="/".join(rest))
        case [experiment, run, "artifacts", *rest]:
            return Location(root=root_of_run(experiment, run), path="/".join(rest))
    raise Invalid(
        f"{text[:200]!r} is not an artifact's location",
        code="bad_location",
        hint="Use the artifact_uri of a run, logged model or model version.",
    )


def check_spelling(path: str) -> None:
    """Raise `Invalid` unless a path is plain however often, and by whichever rules, somebody decodes it.

    >>> check_spelling("model/100%.png")
    """
    if len(path) > _LONGEST:
        raise Invalid(f"a path has at most {_LONGEST} characters, not {len(path)}", code="bad_path")
    check_relative(path)
    if _TURNING.search(path) or any(unicodedata.category(sign) in _UNSEEN for sign in path):
        raise Invalid(
            f"{path[:200]!r} holds a character that can't be shown",
            code="bad_path",
            hint="Name artifacts with letters, digits and signs that can be seen.",
        )
    for decoded in (unicodedata.normalize("NFKC", path), unquote(path)):
        if decoded != path:
            check_spelling(decoded)


def location_of_uri(uri: str) -> Location:
    """Read `mlflow-artifacts:/...`; a host in it is not followed, since this server is the only one."""
    rest = uri.removeprefix(SCHEME)
    if rest == uri or "?" in uri or "#" in uri or "%" in uri:
        raise Invalid(
            f"{uri[:200]!r} is not a location of this server",
            code="bad_location",
            hint="Log the files to a run or logged model first, and register those.",
        )
    if rest.startswith("//"):
        rest = rest.removeprefix("//").partition("/")[2]
    return location_of(rest)
