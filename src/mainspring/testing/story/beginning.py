"""The installation, its clock, and who acts in it."""

import random
from datetime import datetime, timedelta

from mainspring.app import App, loop_actor
from mainspring.blobs.trees import put_manifest
from mainspring.domain.actor import Actor, ActorKind, Role
from mainspring.domain.dataset import Manifest, ManifestEntry
from mainspring.domain.evaluation import Reference
from mainspring.kernel.clock import FakeClock
from mainspring.kernel.digests import Digest
from mainspring.pipelines.environment import store_environment
from mainspring.serving.log.ids import IdSource
from mainspring.serving.log.writer import PredictionLog

ALICE = Actor(kind=ActorKind.PERSON, name="alice", role=Role.ADMIN)
BEN = Actor(kind=ActorKind.PERSON, name="ben", role=Role.VIEWER)
CARA = Actor(kind=ActorKind.PERSON, name="cara", role=Role.APPROVER)


class Beginning:
    """What everything in the story stands on."""

    def __init__(self, app: App, clock: FakeClock, end: datetime) -> None:
        self.app = app
        self.clock = clock
        self.end = end
        self.random = random.Random(20260101)
        self.training = app.acting_as(loop_actor("training"))
        self.rollouts = app.acting_as(loop_actor("rollout"))
        self.monitoring = app.acting_as(loop_actor("monitoring"))
        self.worker = app.acting_as(loop_actor("worker"))
        self.serving = app.acting_as(loop_actor("serving"))
        self.log = PredictionLog(app.settings.predictions_path)
        self.ids = IdSource()
        self.references: dict[str, Reference] = {}
        self.project = self._folder(
            {"flow.py": b"import mainspring as ms\n", "mainspring.toml": b""}
        )
        self.environment = store_environment(app.blobs)

    def wait(self, **time: float) -> None:
        self.clock.advance(timedelta(**time))

    def _folder(self, files: dict[str, bytes]) -> Digest:
        entries = tuple(
            ManifestEntry(path=path, digest=self.app.blobs.put_bytes(data), size_bytes=len(data))
            for path, data in files.items()
        )
        return put_manifest(self.app.blobs, Manifest(entries=entries))
