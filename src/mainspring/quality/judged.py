"""What became of a delivery before it is recorded."""

from dataclasses import dataclass

from mainspring.datasets.ingest import Ingested
from mainspring.domain.check import CheckReport
from mainspring.kernel.digests import Digest
from mainspring.quality.requests import KeptApart


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A delivery as its checks leave it: what of it may come in, its profile, the report, what was kept apart."""

    taken: Ingested
    profile: Digest | None = None
    report: CheckReport | None = None
    apart: KeptApart | None = None
