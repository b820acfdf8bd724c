"""What can be asked of services."""

from mainspring.domain.request import Request
from mainspring.domain.service import Service, ServiceSpec
from mainspring.kernel.digests import Digest


class ApplyService(Request[Service], frozen=True, kw_only=True):
    """Declare a service, or change its declaration. Applying the same again changes nothing.

    `project` is the manifest of the project's code snapshot and `environment` the blob that describes the
    Python environment; both must have been stored before.
    """

    spec: ServiceSpec
    project: Digest
    environment: Digest


class ListServices(Request[tuple[Service, ...]], frozen=True, kw_only=True):
    """Every declared service, by name."""


class GetService(Request[Service], frozen=True, kw_only=True):
    """One declared service."""

    name: str


class PauseService(Request[Service], frozen=True, kw_only=True):
    """Stop the loops from acting on a service; serving goes on."""

    name: str


class ResumeService(Request[Service], frozen=True, kw_only=True):
    """Let the loops act on a service again."""

    name: str
