"""What a real MLflow client does with a large file: up in parts, down in ranges. Run by `test_large_files.py`."""

import hashlib
import json
import os
import re
import sys
from pathlib import Path

SIZE = 220 << 20
CHUNK = 20 << 20

# What is "large" is the client's to say; at its defaults it begins at 500 MB, in parts of 10 MB.
os.environ["MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE"] = str(100 << 20)
os.environ["MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE"] = str(CHUNK)
os.environ["MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE"] = str(CHUNK)

import mlflow  # noqa: E402  # the variables are read when it is imported
import requests  # noqa: E402

asked: list[str] = []
_request = requests.Session.request


def noted(
    session: requests.Session, method: str, url: str, *args: object, **given: object
) -> object:
    asked.append(f"{method.upper()} {re.sub('/signed/.*', '/signed', url.partition('?')[0])}")
    return _request(session, method, url, *args, **given)


requests.Session.request = noted  # type: ignore[method-assign,assignment]  # to see what the client asks


def peak_kb() -> int:
    """The most memory that the server has had."""
    address = json.loads(Path("home/run/control.json").read_text())
    status = Path(f"/proc/{address['pid']}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1])  # type: ignore[index]


def digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def count(method: str, part: str) -> int:
    return sum(line.startswith(method) and part in line for line in asked)


mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("large files")
large, small = Path("large.bin"), Path("small.txt")
with large.open("wb") as target:
    block = os.urandom(1 << 20)
    for number in range(SIZE >> 20):
        target.write(number.to_bytes(8, "big") + block[8:])
small.write_text("small")

with mlflow.start_run() as run:
    mlflow.log_artifact(str(small))
    before = peak_kb()
    mlflow.log_artifact(str(large), "deep/down")
    up = peak_kb()
    uploads = {
        "create": count("POST", "/mpu/create"),
        "parts": count("PUT", "/signed"),
        "complete": count("POST", "/mpu/complete"),
        "streamed": count("PUT", "/mlflow-artifacts/artifacts/"),
    }
    fetched = Path(mlflow.artifacts.download_artifacts(run_id=run.info.run_id, dst_path="fetched"))
    down = peak_kb()

print(
    "SAW",
    json.dumps(
        {
            "same": digest(fetched / "deep/down/large.bin") == digest(large),
            "small": (fetched / "small.txt").read_text(),
            "uploads": uploads,
            "presigned": count("GET", "/presigned/"),
            "ranges": count("GET", "/signed"),
            "left": sorted(path.name for path in Path("home/work/uploads").iterdir()),
            "grown_mb": [(up - before) / 1024, (down - before) / 1024],
        }
    ),
)
