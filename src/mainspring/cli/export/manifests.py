"""What the manifests for Argo and Kubernetes share: the container that runs `mainspring`, and how YAML is written."""

from typing import Any

import yaml

from mainspring.cli.export.plan import Plan

_HOME = "/mainspring"

Manifest = dict[str, Any]


def container(
    plan: Plan, arguments: list[str], *, cpus: int = 1, memory: str = "", gpus: int = 0
) -> Manifest:
    """A container that runs one `mainspring` command on the home in the volume, with the least rights."""
    return {
        "image": plan.image,
        "command": ["mainspring"],
        "args": arguments,
        "env": [
            {"name": "MAINSPRING_HOME", "value": f"{_HOME}/home"},
            {
                "name": "MAINSPRING_DATABASE",
                "valueFrom": {
                    "secretKeyRef": {"name": "mainspring", "key": "database", "optional": True}
                },
            },
        ],
        "resources": _resources(cpus, memory, gpus),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "mainspring", "mountPath": _HOME}],
    }


def _resources(cpus: int, memory: str, gpus: int) -> Manifest:
    requests, limits = {"cpu": str(cpus)}, {}
    if memory:
        requests["memory"] = limits["memory"] = memory
    if gpus:
        limits["nvidia.com/gpu"] = str(gpus)
    return {"requests": requests} | ({"limits": limits} if limits else {})


def volumes() -> list[Manifest]:
    """The volume that every pod of a run mounts."""
    return [{"name": "mainspring", "persistentVolumeClaim": {"claimName": "mainspring"}}]


POD_SECURITY: Manifest = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}

NEEDS = (
    "Pods mount the claim `mainspring`, which holds the home; the secret `mainspring` may hold the URL of a\n"
    "PostgreSQL database under `database`, which steps on several machines need. When the pipeline changes,\n"
    "export it again."
)


def text(manifest: Manifest, head: str) -> str:
    """A manifest as YAML, below what people should know of it."""
    comment = "".join(f"# {line}".rstrip() + "\n" for line in head.splitlines())
    body = yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return comment + str(body)


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # yaml ships no types
    """Indents lists below their key, as people do, and repeats what would be an alias."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        return True
