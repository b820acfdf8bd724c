"""What a user's script does with prompts, stages and webhooks through the real MLflow client.

Run in the client's own environment; prints one JSON object with what it saw, which the test beside it looks at.
"""

import base64
import hashlib
import hmac
import json
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import mlflow
from mlflow.entities.webhook import WebhookEvent
from mlflow.exceptions import MlflowException, RestException
from mlflow.tracking import MlflowClient
from sklearn.linear_model import LinearRegression

saw: dict[str, object] = {}


def refused(work: object) -> str:
    """The error code and the words of what must be refused."""
    try:
        work()  # type: ignore[operator]
    except (RestException, MlflowException) as error:
        return f"{error.error_code}: {error.message}"
    return "not refused"


def prompts(client: MlflowClient) -> None:
    first = mlflow.genai.register_prompt(
        name="greeting", template="Hello {{name}}", commit_message="first", tags={"by": "me"}
    )
    again = mlflow.genai.register_prompt(name="greeting", template="Hello {{name}}")
    chat = mlflow.genai.register_prompt(
        name="talk", template=[{"role": "user", "content": "Hi {{name}}"}]
    )
    mlflow.genai.set_prompt_alias("greeting", alias="production", version=1)
    by_alias = mlflow.genai.load_prompt("prompts:/greeting@production")
    latest = mlflow.genai.load_prompt("prompts:/greeting@latest")
    client.set_prompt_tag("greeting", "team", "demand")
    client.set_prompt_version_tag("greeting", 2, "kind", "short")
    tagged = client.get_prompt("greeting").tags
    client.delete_prompt_tag("greeting", "team")
    saw["prompts"] = {
        "versions": [first.version, again.version, chat.version],
        "text": by_alias.format(name="Ada"),
        "message": by_alias.commit_message,
        "by_alias": by_alias.version,
        "latest": latest.version,
        "chat": mlflow.genai.load_prompt("prompts:/talk/1").template,
        "missing": mlflow.genai.load_prompt("prompts:/nothing/1", allow_missing=True) is None,
        "found": sorted(p.name for p in mlflow.genai.search_prompts()),
        "by_name": [p.name for p in mlflow.genai.search_prompts("name = 'talk'")],
        "tags": tagged,
        "tags_left": client.get_prompt("greeting").tags,
        "version_tags": client.get_prompt_version("greeting", 2).tags,
        "all_versions": sorted(v.version for v in client.search_prompt_versions("greeting")),
        "in_models": [m.name for m in client.search_registered_models()],
        "in_versions": [v.name for v in client.search_model_versions()],
        "as_model": [m.name for m in client.search_registered_models("name = 'greeting'")],
        "model_taken": refused(lambda: client.create_registered_model("greeting")),
    }
    mlflow.genai.delete_prompt_alias("greeting", alias="production")
    client.delete_prompt_version("talk", "1")
    client.delete_prompt("talk")
    saw["prompts_left"] = sorted(p.name for p in mlflow.genai.search_prompts())
    saw["alias_gone"] = refused(lambda: mlflow.genai.load_prompt("prompts:/greeting@production"))


def stages(client: MlflowClient) -> None:
    mlflow.set_experiment("stages")
    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(
            LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0]),
            name="model",
            skops_trusted_types=["numpy.dtype"],
        )
    client.create_registered_model("demand", tags={"team": "rides"}, description="of rides")
    saw["prompt_for_model"] = refused(
        lambda: mlflow.genai.register_prompt(name="demand", template="no")
    )
    made = [
        client.create_model_version("demand", info.model_uri, run.info.run_id, tags={"n": str(n)})
        for n in range(4)
    ]
    with ThreadPoolExecutor(8) as pool:
        many = list(
            pool.map(
                lambda _: mlflow.register_model(info.model_uri, "crowd").version,
                range(16),
            )
        )
    client.transition_model_version_stage("demand", 1, "Production")
    client.transition_model_version_stage("demand", 2, "Staging")
    moved = client.transition_model_version_stage(
        "demand", 3, "production", archive_existing_versions=True
    )
    saw["stages"] = {
        "numbers": [v.version for v in made],
        "crowd": sorted(int(v) for v in many),
        "moved": moved.current_stage,
        "stages": {
            v.version: v.current_stage for v in client.search_model_versions("name = 'demand'")
        },
        "latest": sorted(
            [v.version, v.current_stage] for v in client.get_latest_versions("demand")
        ),
        "production": [v.version for v in client.get_latest_versions("demand", ["Production"])],
        "bad_stage": refused(lambda: client.transition_model_version_stage("demand", 1, "Best")),
        "bad_archive": refused(
            lambda: client.transition_model_version_stage(
                "demand", 1, "Archived", archive_existing_versions=True
            )
        ),
        "loads_by_stage": mlflow.pyfunc.load_model("models:/demand/Production") is not None,
    }


def searches(client: MlflowClient) -> None:
    for number in range(5):
        client.create_registered_model(f"m{number}", tags={"even": str(number % 2 == 0)})
    first = client.search_registered_models("name LIKE 'm%'", max_results=2, order_by=["name DESC"])
    second = client.search_registered_models(
        "name LIKE 'm%'", max_results=2, order_by=["name DESC"], page_token=first.token
    )
    pages = client.search_model_versions(
        "name = 'demand'", max_results=3, order_by=["version_number ASC"]
    )
    saw["searches"] = {
        "pages": [[m.name for m in first], [m.name for m in second]],
        "ilike": [m.name for m in client.search_registered_models("name ILIKE 'M3'")],
        "tag": [
            m.name
            for m in client.search_registered_models("name LIKE 'm%' AND tags.even = 'False'")
        ],
        "not_like": refused(lambda: client.search_registered_models("name > 'a'"))[:23],
        "bad_order": refused(lambda: client.search_registered_models(order_by=["size"]))[:23],
        "bad_key": refused(lambda: client.search_registered_models("size = 'a'"))[:23],
        "too_many": refused(lambda: client.search_registered_models(max_results=1001))[:23],
        "versions": [v.version for v in pages],
        "rest": [
            v.version
            for v in client.search_model_versions(
                "name = 'demand'",
                max_results=3,
                order_by=["version_number ASC"],
                page_token=pages.token,
            )
        ],
        "by_run": len(client.search_model_versions(f"run_id = '{pages[0].run_id}'")),
        "in_runs": len(client.search_model_versions(f"run_id IN ('{pages[0].run_id}', 'x')")),
        "by_tag": [
            v.version for v in client.search_model_versions("name = 'demand' AND tags.n = '2'")
        ],
        "renamed": client.rename_registered_model("m0", "n0"),
        "old_gone": refused(lambda: client.get_registered_model("m0")),
        "rename_taken": refused(lambda: client.rename_registered_model("n0", "m1")),
        "bad_version": refused(lambda: client.get_model_version("demand", "99")),
        "bad_number": refused(lambda: client.get_model_version("demand", "abc"))[:23],
        "no_model": refused(lambda: client.get_registered_model("nothing")),
        "no_bytes": refused(
            lambda: client.create_model_version("demand", "runs:/" + "0" * 32 + "/m")
        )[:23],
        "file": refused(lambda: client.create_model_version("demand", "file:///etc"))[:23],
        "gone": client.delete_registered_model("m4"),
        "uri": client.get_model_version_download_uri("demand", "1") != "",
    }


class Receiver(BaseHTTPRequestHandler):
    """Checks what comes as MLflow's documentation says."""

    got: ClassVar[list[list[object]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        headers = self.headers
        signed = f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}.{body}"
        mac = hmac.new(b"a secret", signed.encode(), hashlib.sha256).digest()
        right = f"v1,{base64.b64encode(mac).decode()}"
        content = json.loads(body)
        self.got.append(
            [
                f"{content['entity']}.{content['action']}",
                content["data"],
                headers["X-MLflow-Signature"] == right,
            ]
        )
        self.send_response(202)
        self.end_headers()
        self.wfile.write(b"heard")

    def log_message(self, *args: object) -> None:
        """Only what was seen is printed."""


def webhooks(client: MlflowClient) -> None:
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made = client.create_webhook(
        name="ci",
        url=f"http://127.0.0.1:{server.server_port}/",
        events=["model_version.created", WebhookEvent("prompt", "created")],
        description="tells CI",
        secret="a secret",
    )
    tried = client.test_webhook(made.webhook_id)
    other = client.test_webhook(made.webhook_id, event="model_version_tag.set")
    changed = client.update_webhook(
        made.webhook_id, name="cd", events=["registered_model.created"], status="DISABLED"
    )
    private = client.create_webhook(
        name="inside", url="https://10.0.0.1/", events=["model_version.created"]
    )
    refusal = client.test_webhook(private.webhook_id)
    listed = sorted(each.name for each in client.list_webhooks(max_results=10))
    got = client.get_webhook(made.webhook_id)
    client.delete_webhook(made.webhook_id)
    saw["webhooks"] = {
        "events": sorted(str(event) for event in made.events),
        "status": str(made.status),
        "tried": [tried.success, tried.response_status, tried.response_body],
        "other": other.success,
        "heard": Receiver.got,
        "changed": [changed.name, str(changed.status), [str(e) for e in changed.events]],
        "same": [got.url == made.url, got.description, got.secret],
        "listed": listed,
        "private": [refusal.success, refusal.error_message],
        "gone": refused(lambda: client.get_webhook(made.webhook_id)),
        "bad_url": refused(
            lambda: client.create_webhook(name="x", url="file:///x", events=["prompt.created"])
        )[:23],
    }
    server.shutdown()


def main() -> None:
    mlflow.set_tracking_uri(sys.argv[1])
    client = MlflowClient()
    warnings.simplefilter("ignore")
    prompts(client)
    stages(client)
    searches(client)
    webhooks(client)
    print("SAW " + json.dumps(saw))


main()
