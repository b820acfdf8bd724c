"""An MLflow read from its running server, over the REST calls that its own clients use."""

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import quote, urlsplit

from mainspring.domain.model import PROMPT_TAG, ModelVersion, RegisteredModel, is_prompt
from mainspring.domain.run import Experiment, MetricPoints, Run
from mainspring.kernel.errors import Denied, Invalid, NotFound, Unavailable
from mainspring.takeover.mlflow.server_json import (
    Json,
    experiment_of,
    logged_model_of,
    model_of,
    points_of,
    run_of,
    version_of,
)
from mainspring.takeover.mlflow.source import (
    SourceFile,
    SourceLoggedModel,
    SourceRun,
    SourceTrace,
    SourceVersion,
)
from mainspring.takeover.mlflow.traces import (
    LOCATION_TAG,
    has_spans_in_store,
    span_of,
    trace_of,
)

if TYPE_CHECKING:
    import httpx

_API = "/api/2.0/mlflow"
_API3 = "/api/3.0/mlflow"
_TRACE_SPANS = "/ajax-api/2.0/mlflow/get-trace-artifact"
_PROXY = "/api/2.0/mlflow-artifacts/artifacts"
_DELAYS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
_BUSY = (429, 502, 503, 504)
_RUNS_AT_ONCE = 200
_TRACES_AT_ONCE = 50
_POINTS_AT_ONCE = 10_000
_SECONDS = 120.0


class ServerSource:
    """A `Source` over an MLflow server, 2.0 or newer.

    What the protocol doesn't show isn't carried over: deleted logged models, and the kinds of things that
    `left_behind` can't count from outside.
    """

    def __init__(
        self, url: str, *, username: str = "", password: str = "", token: str = ""
    ) -> None:
        import httpx

        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=url.rstrip("/"),
            timeout=_SECONDS,
            headers=headers,
            auth=(username, password) if username else None,
            transport=httpx.HTTPTransport(retries=3),
        )
        try:
            version = self._once("GET", "/version").text.strip()
        except NotFound:
            version = "of an old version"
        self.description = f"MLflow server {version[:40]}"

    def close(self) -> None:
        self._http.close()

    def experiments(self) -> list[Experiment]:
        body = {"view_type": "ALL", "max_results": 1000, "order_by": ["experiment_id ASC"]}
        return [
            experiment_of(each)
            for page in self._posted(f"{_API}/experiments/search", body, "experiments")
            for each in page
        ]

    def runs(self, experiment: str) -> Iterator[list[SourceRun]]:
        body = {
            "experiment_ids": [experiment],
            "run_view_type": "ALL",
            "max_results": _RUNS_AT_ONCE,
            # The oldest first: what is begun meanwhile comes last, and shifts no page.
            "order_by": ["attributes.start_time ASC"],
        }
        for page in self._posted(f"{_API}/runs/search", body, "runs"):
            yield [
                SourceRun(
                    run=run_of(each, experiment), location=each["info"].get("artifact_uri", "")
                )
                for each in page
            ]

    def points(self, runs: Sequence[Run]) -> Iterator[MetricPoints]:
        for run in runs:
            for metric in run.metrics:
                asked = {"run_id": run.id, "metric_key": metric.key, "max_results": _POINTS_AT_ONCE}
                for page in self._got(f"{_API}/metrics/get-history", asked, "metrics"):
                    yield points_of(run.id, metric.key, page)

    def logged_models(self, experiment: str) -> Iterator[list[SourceLoggedModel]]:
        body = {"experiment_ids": [experiment], "max_results": 50}
        try:
            yield from (
                [logged_model_of(each, experiment) for each in page]
                for page in self._posted(f"{_API}/logged-models/search", body, "models")
            )
        except NotFound:
            # Servers before 3.0 know no logged models.
            return

    def traces(self, experiment: str) -> Iterator[list[SourceTrace]]:
        links: Mapping[str, list[str]] | None = None
        for page in self._trace_infos(experiment, ""):
            if links is None:
                links = self._links(experiment)
            yield [self._trace(each, experiment, links.get(each["trace_id"], ())) for each in page]

    def _trace_infos(self, experiment: str, filter_: str) -> Iterator[list[Json]]:
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
        # The oldest first: what begins meanwhile comes last, and shifts no page.
        body = {
            "locations": [place],
            "max_results": _TRACES_AT_ONCE,
            "order_by": ["timestamp_ms ASC"],
            "filter": filter_,
        }
        try:
            yield from self._posted(f"{_API3}/traces/search", body, "traces")
        except NotFound:
            # Servers before 3.0 show traces in another way; their databases are read.
            return

    def _links(self, experiment: str) -> Mapping[str, list[str]]:
        """The runs of each trace, as far as they are in its experiment: only a search by run shows them."""
        found: dict[str, list[str]] = {}
        for runs in self.runs(experiment):
            for each in runs:
                for page in self._trace_infos(experiment, f"attribute.run_id = '{each.run.id}'"):
                    for info in page:
                        found.setdefault(info["trace_id"], []).append(each.run.id)
        return found

    def _trace(self, info: Json, experiment: str, runs: Sequence[str]) -> SourceTrace:
        id_, tags = info["trace_id"], info.get("tags") or {}
        spans = []
        if has_spans_in_store(tags):
            # In this call, and no other, spans are as the database has them.
            found = self._json("GET", _TRACE_SPANS, params={"request_id": id_})
            spans = [span_of(each, id_) for each in found.get("spans", [])]
        trace = trace_of(info, experiment, spans=spans, tags=tags)
        return SourceTrace(trace=trace, runs=tuple(runs), location=tags.get(LOCATION_TAG, ""))

    def models(self) -> list[RegisteredModel]:
        path = f"{_API}/registered-models/search"
        found: dict[str, RegisteredModel] = {}
        # Prompts are registered models that are shown only to those who ask for them.
        for filter_ in ("", f"tags.`{PROMPT_TAG}` = 'true'"):
            asked = {"max_results": 100, "filter": filter_}
            for page in self._got(path, asked, "registered_models"):
                found |= {each["name"]: model_of(each) for each in page}
        return [found[name] for name in sorted(found)]

    def versions(self, model: str) -> list[SourceVersion]:
        quote_ = '"' if "'" in model else "'"
        name = f"name={quote_}{model}{quote_}"
        path = f"{_API}/model-versions/search"
        found: dict[int, ModelVersion] = {}
        for filter_ in (name, f"{name} AND tags.`{PROMPT_TAG}` = 'true'"):
            for page in self._got(path, {"max_results": 1000, "filter": filter_}, "model_versions"):
                found |= {int(each["version"]): version_of(each) for each in page}
        return [
            SourceVersion(version=found[number], location=self._download_uri(found[number]))
            for number in sorted(found)
        ]

    def run_files(self, run: SourceRun) -> list[SourceFile]:
        if _is_proxied(run.location):
            return self._proxied(run.location)

        def listed(path: str) -> Json:
            return self._json("GET", f"{_API}/artifacts/list", params=_at(path, run_id=run.run.id))

        return list(
            _walk(
                listed,
                lambda path: self._opener("/get-artifact", {"run_id": run.run.id, "path": path}),
            )
        )

    def model_files(self, model: SourceLoggedModel) -> list[SourceFile]:
        return self._files_of_model(model.model.id, model.location)

    def version_files(self, version: SourceVersion) -> list[SourceFile]:
        given = version.version
        if _is_proxied(version.location):
            return self._proxied(version.location)
        if given.logged_model is not None:
            return self._files_of_model(given.logged_model, "")
        run, inside, folder = version.location.rpartition(f"/{given.run}/artifacts/")
        if given.run is None or not inside:
            raise Invalid(
                "its files are neither a run's nor a logged model's", code="files_elsewhere"
            )
        source = SourceRun(run=self._run_of(given.run), location=f"{run}{inside.rstrip('/')}")
        prefix = folder.strip("/") + "/"
        return [
            SourceFile(
                path=each.path.removeprefix(prefix), size_bytes=each.size_bytes, open=each.open
            )
            for each in self.run_files(source)
            if each.path.startswith(prefix)
        ]

    def trace_files(self, trace: SourceTrace) -> list[SourceFile]:
        if not trace.location:
            return []
        if not _is_proxied(trace.location):
            raise Invalid(
                "its files are not behind the server; read its database, where they can be reached",
                code="files_elsewhere",
            )
        return self._proxied(trace.location)

    def left_behind(self) -> Mapping[str, int]:
        try:
            hooks = self._json("GET", f"{_API}/webhooks").get("webhooks", [])
        except (NotFound, Invalid, Denied, Unavailable):
            hooks = []
        return {"webhooks": len(hooks)} if hooks else {}

    def _run_of(self, id_: str) -> Run:
        found = self._json("GET", f"{_API}/runs/get", params={"run_id": id_})["run"]
        return run_of(found, found["info"]["experiment_id"])

    def _download_uri(self, version: ModelVersion) -> str:
        if is_prompt(version.tags):
            return ""
        asked = {"name": version.model, "version": str(version.number)}
        path = f"{_API}/model-versions/get-download-uri"
        return str(self._json("GET", path, params=asked).get("artifact_uri", ""))

    def _files_of_model(self, model: str, location: str) -> list[SourceFile]:
        if _is_proxied(location):
            return self._proxied(location)
        api = f"/ajax-api/2.0/mlflow/logged-models/{quote(model)}/artifacts"

        def listed(path: str) -> Json:
            asked = {"artifact_directory_path": path} if path else {}
            return self._json(
                "GET", f"{_API}/logged-models/{quote(model)}/artifacts/directories", params=asked
            )

        return list(
            _walk(
                listed,
                lambda path: self._opener(f"{api}/files", {"artifact_file_path": path}),
            )
        )

    def _proxied(self, location: str) -> list[SourceFile]:
        root = urlsplit(location).path.strip("/")

        def listed(path: str) -> Json:
            asked = {"path": f"{root}/{path}" if path else root}
            answer = self._json("GET", _PROXY, params=asked)
            # Names here are relative to the folder asked for.
            prefix = f"{path}/" if path else ""
            files = answer.get("files", [])
            return {"files": [{**each, "path": prefix + each["path"]} for each in files]}

        return list(
            _walk(listed, lambda path: self._opener(f"{_PROXY}/{quote(f'{root}/{path}')}", {}))
        )

    def _opener(self, path: str, params: Mapping[str, str]) -> Callable[[], BinaryIO]:
        return lambda: cast("BinaryIO", io.BufferedReader(_Body(self._streamed(path, params))))

    def _streamed(self, path: str, params: Mapping[str, str]) -> "httpx.Response":
        def attempt() -> "httpx.Response":
            request = self._http.build_request("GET", path, params=dict(params) or None)
            return self._http.send(request, stream=True)

        return self._patiently(attempt, path)

    def _posted(self, path: str, body: Json, key: str) -> Iterator[list[Json]]:
        token = ""
        while True:
            given = {**body, "page_token": token} if token else body
            answer = self._json("POST", path, json=given)
            if found := answer.get(key):
                yield found
            token = answer.get("next_page_token", "")
            if not token:
                return

    def _got(self, path: str, params: Json, key: str) -> Iterator[list[Json]]:
        token = ""
        while True:
            given = {**params, "page_token": token} if token else params
            answer = self._json("GET", path, params={k: v for k, v in given.items() if v != ""})
            if found := answer.get(key):
                yield found
            token = answer.get("next_page_token", "")
            if not token:
                return

    def _json(self, method: str, path: str, **given: Any) -> Json:
        answer = self._once(method, path, **given)
        try:
            found: Json = answer.json()
        except ValueError as error:
            raise Unavailable(
                f"{self._http.base_url}{path} did not answer in JSON",
                hint="Is it an MLflow server?",
            ) from error
        return found

    def _once(self, method: str, path: str, **given: Any) -> "httpx.Response":
        return self._patiently(lambda: self._http.request(method, path, **given), path)

    def _patiently(self, attempt: "Callable[[], httpx.Response]", path: str) -> "httpx.Response":
        """Ask again while the server is busy or away: everything asked of it only reads."""
        import httpx

        for delay in (*_DELAYS_SECONDS, None):
            try:
                answer = attempt()
            except httpx.HTTPError as error:
                if delay is None:
                    raise Unavailable(
                        f"the MLflow server at {self._http.base_url} can't be reached: {error}"
                    ) from error
            else:
                if answer.status_code not in _BUSY or delay is None:
                    return _checked(answer, path)
                answer.close()
            time.sleep(delay)
        raise AssertionError("unreachable")


class _Body(io.RawIOBase):
    """The body of an answer as a file, read as it comes."""

    def __init__(self, answer: "httpx.Response") -> None:
        self._answer = answer
        self._chunks = answer.iter_bytes()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        import httpx

        while not self._rest:
            try:
                self._rest = next(self._chunks)
            except StopIteration:
                return 0
            except httpx.HTTPError as error:
                raise Unavailable(f"a file broke off: {error}", hint="Run it again.") from error
        part = self._rest[: len(buffer)]
        buffer[: len(part)] = part
        self._rest = self._rest[len(part) :]
        return len(part)

    def close(self) -> None:
        self._answer.close()
        super().close()


def _checked(answer: "httpx.Response", path: str) -> "httpx.Response":
    if answer.status_code < 400:
        return answer
    answer.read()
    said = f"the MLflow server answered {answer.status_code} to {path}: {answer.text[:300]}"
    answer.close()
    if answer.status_code in (401, 403):
        raise Denied(
            said, hint="Give MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and _PASSWORD."
        )
    if answer.status_code == 404:
        raise NotFound(said)
    raise (Invalid if answer.status_code < 500 else Unavailable)(said)


def _walk(
    listed: Callable[[str], Json], opener: Callable[[str], Callable[[], BinaryIO]]
) -> Iterator[SourceFile]:
    folders = [""]
    while folders:
        for each in listed(folders.pop()).get("files", []):
            if each.get("is_dir"):
                folders.append(each["path"])
            else:
                size = int(each.get("file_size") or 0)
                yield SourceFile(path=each["path"], size_bytes=size, open=opener(each["path"]))


def _at(path: str, **given: str) -> dict[str, str]:
    return {**given, "path": path} if path else given


def _is_proxied(location: str) -> bool:
    return location.startswith("mlflow-artifacts:")
