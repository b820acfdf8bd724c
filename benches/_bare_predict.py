"""The baseline of `benches/predict.py`: the least that answers the same question with the same model.

Starlette, one handler, the model in the same process: no validation, no log, no metrics, no routing.
"""

import sys
from pathlib import Path

import msgspec
import polars as pl
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mainspring.tracking.model_format import load_estimator


def main() -> None:
    """Serve the model folder on the port, both given on the command line."""
    estimator = load_estimator(Path(sys.argv[1]))

    async def infer(request: Request) -> Response:
        asked = msgspec.json.decode(await request.body())
        frame = pl.DataFrame({tensor["name"]: tensor["data"] for tensor in asked["inputs"]})
        answers = estimator.predict(frame).tolist()
        output = {
            "name": "prediction",
            "shape": [len(answers)],
            "datatype": "FP64",
            "data": answers,
        }
        body = msgspec.json.encode({"model_name": "demand", "outputs": [output]})
        return Response(body, media_type="application/json")

    app = Starlette(routes=[Route("/v2/models/demand/infer", infer, methods=["POST"])])
    uvicorn.run(
        app,
        port=int(sys.argv[2]),
        http="httptools",
        loop="uvloop",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
