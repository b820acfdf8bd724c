"""What the real TFDV says of the cases, as JSON on standard output: `python ask.py`, in an environment that has it."""

import base64
import contextlib
import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402
import tensorflow as tf  # noqa: E402
import tensorflow_data_validation as tfdv  # noqa: E402
from cases import CASES  # noqa: E402
from google.protobuf import text_format  # noqa: E402
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2  # noqa: E402


def statistics(table: "dict[str, list[Any]] | None") -> Any:
    return None if table is None else tfdv.generate_statistics_from_dataframe(pd.DataFrame(table))


def anomalies(case: dict[str, Any]) -> dict[str, list[str]]:
    schema = text_format.Parse(case["schema"], schema_pb2.Schema())
    found = tfdv.validate_statistics(
        statistics(case["table"]),
        schema,
        environment=case.get("environment"),
        previous_statistics=statistics(case.get("previous")),
        serving_statistics=statistics(case.get("serving")),
    )
    names = anomalies_pb2.AnomalyInfo.Type.Name
    by_feature = {
        ".".join(info.path.step) or key: sorted(names(reason.type) for reason in info.reason)
        for key, info in found.anomaly_info.items()
    }
    if found.HasField("dataset_anomaly_info"):
        by_feature[""] = sorted(names(r.type) for r in found.dataset_anomaly_info.reason)
    return by_feature


def main() -> None:
    with contextlib.redirect_stdout(sys.stderr):
        told = {name: anomalies(case) for name, case in CASES.items()}
        table = {
            "fare": [n / 7 if n % 10 else None for n in range(500)],
            "n": [n % 50 for n in range(500)],
            "name": [("a", "b", "c", None)[n % 4] for n in range(500)],
            "lists": [[1.0, 2.0] for _ in range(500)],
        }
        kept = statistics(table)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "stats.tfrecord"
            with tf.io.TFRecordWriter(str(path)) as writer:
                writer.write(kept.SerializeToString())
            framed = path.read_bytes()
    print(
        json.dumps(
            {
                "version": tfdv.__version__,
                "anomalies": told,
                "binary": base64.b64encode(kept.SerializeToString()).decode(),
                "tfrecord": base64.b64encode(framed).decode(),
                "text": text_format.MessageToString(kept),
            }
        )
    )


if __name__ == "__main__":
    main()
