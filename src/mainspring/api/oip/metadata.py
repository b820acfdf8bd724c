"""What the protocol lets a caller ask about the server and its models."""

from typing import Any

import mainspring
from mainspring.api.oip.tensors import output_names
from mainspring.domain.data_type import DataType
from mainspring.domain.model import ModelVersion
from mainspring.serving.runtime import Arms

_DATATYPES = {
    DataType.FLOAT: "FP64",
    DataType.INTEGER: "INT64",
    DataType.BOOLEAN: "BOOL",
    DataType.STRING: "BYTES",
    DataType.DATE: "BYTES",
    DataType.DATETIME: "BYTES",
    DataType.OTHER: "BYTES",
}


def server_metadata() -> dict[str, Any]:
    """The answer to `GET /v2`."""
    return {
        "name": "mainspring",
        "version": getattr(mainspring, "__version__", "unknown"),
        "extensions": ["binary_tensor_data"],
    }


def model_metadata(arms: Arms, version: ModelVersion) -> dict[str, Any]:
    """The answer to `GET /v2/models/{service}`, from the version's signature."""
    signature = version.signature
    inputs = [
        {
            "name": feature.name,
            "datatype": _DATATYPES[feature.type],
            "shape": [-1],
            "parameters": {"nullable": feature.nullable, "type": feature.type.value},
        }
        for feature in (signature.inputs if signature else ())
    ]
    pools = [pool for pool in (arms.champion, arms.candidate) if pool is not None]
    return {
        "name": arms.service,
        "versions": sorted({str(pool.version.number) for pool in pools}),
        "platform": f"mainspring_{version.flavor}",
        "inputs": inputs,
        "outputs": [
            # The signature says what outputs are called, not what they are.
            {"name": name, "datatype": "FP64", "shape": [-1]}
            for name in output_names(signature)
        ],
        "properties": {
            "model": version.model,
            "model_version": str(version.number),
            "digest": version.manifest,
        },
    }
