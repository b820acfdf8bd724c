"""Exported pipelines in a real Kubeflow SDK: compiled, parsed strictly, and carried out by its local runner."""

from pathlib import Path

import pytest
from tests.contract.exports.conftest import Project

CARRY_OUT = """
import sys, yaml
from google.protobuf import json_format
from kfp import compiler, local
from kfp.pipeline_spec import pipeline_spec_pb2

sys.path.insert(0, sys.argv[1])
import exported

compiler.Compiler().compile(exported.demand, "demand.yaml")
with open("demand.yaml") as stream:
    spec = next(yaml.safe_load_all(stream))
json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec(), ignore_unknown_fields=False)
executors = spec["deploymentSpec"]["executors"].values()
assert [e["container"]["resources"]["cpuLimit"] for e in executors if "resources" in e["container"]] == [2.0]
loop = spec["components"]["comp-for-loop-1"]["dag"]["tasks"]
assert [task["retryPolicy"]["maxRetryCount"] for task in loop.values()] == [2]
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root="root", raise_on_error=True)
exported.demand()
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_pipeline_compiles_and_gives_the_same_result(
    project: Project, tools: Path, tmp_path: Path
) -> None:
    work = tmp_path / "kfp"
    work.mkdir()
    (work / "exported.py").write_text(project.export("kfp"))

    # The local runner calls the first `python3` that it finds.
    path = f"{tools}:{project.variables['PATH']}"
    project.run(tools / "python", "-c", CARRY_OUT, str(work), folder=work, PATH=path)

    project.check_as_native()
