"""What can be asked of services."""

from typing import Annotated

import msgspec
from msgspec import Meta

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
    """Stop the loops from acting on a service; serving goes on.

    A rollout under way stands still, but a candidate that fails its guards is still taken back.
    """

    name: str


class ResumeService(Request[Service], frozen=True, kw_only=True):
    """Let the loops act on a service again."""

    name: str


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """The right of one controller to run the loops; its fence grows with every holder."""

    holder: str
    fence: int


class HoldControl(Request[Control | None], frozen=True, kw_only=True):
    """Take the right to run the loops, or keep it by showing its fence; None while another holds it."""

    holder: str
    fence: int | None = None
    lease_seconds: Annotated[float, Meta(gt=0, le=3600)] = 15.0


class ReleaseControl(Request[None], frozen=True, kw_only=True):
    """Give the right to run the loops up at once, so that another controller need not wait."""

    holder: str
    fence: int
