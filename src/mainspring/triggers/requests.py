"""What can be asked of triggers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from mainspring.domain.pipeline import Graph, PipelineRun
from mainspring.domain.request import Request
from mainspring.domain.trigger import Cause, CauseState, Trigger, TriggerSpec, TriggerStatus
from mainspring.kernel.digests import Digest
from mainspring.kernel.paging import Page

Limit = Annotated[int, Meta(ge=1, le=1000)]
MAX_FILES = 10_000
MAX_CALL_BYTES = 1 << 20


class ApplyTrigger(Request[Trigger], frozen=True, kw_only=True):
    """Declare a trigger, or change its declaration. Applying the same again changes nothing.

    `graph` is what its pipeline is in the code snapshot `project`; that and `environment` must have been stored
    before. What happened until now is looked at as it was declared before. A trigger that is new counts what
    happens from now on.
    """

    spec: TriggerSpec
    graph: Graph
    project: Digest
    environment: Digest


class ListTriggers(Request[tuple[TriggerStatus, ...]], frozen=True, kw_only=True):
    """Every trigger, by name, with what waits and what it waits for."""


class GetTrigger(Request[TriggerStatus], frozen=True, kw_only=True):
    """One trigger, with what waits and what it waits for."""

    name: str


class PauseTrigger(Request[Trigger], frozen=True, kw_only=True):
    """Keep a trigger from looking and from asking for runs. What happens meanwhile counts when it is resumed."""

    name: str


class ResumeTrigger(Request[Trigger], frozen=True, kw_only=True):
    """Let a trigger look and ask for runs again."""

    name: str


class DeleteTrigger(Request[None], frozen=True, kw_only=True):
    """Delete a trigger, and what waits with it. Runs keep naming what caused them."""

    name: str


class NewTriggerSecret(Request[str], frozen=True, kw_only=True):
    """Make the secret that calls of a trigger's webhook are signed with; the one before counts no more.

    It is shown this once.
    """

    name: str


class CallTrigger(Request[Cause], frozen=True, kw_only=True):
    """Give a trigger a reason to run by hand; `values` may stand in its parameters."""

    name: str
    values: dict[str, str] = {}


class ListCauses(Request[Page[Cause]], frozen=True, kw_only=True):
    """What happened for a trigger, or led to a run, and what came of it; newest first."""

    trigger: str | None = None
    run: str | None = None
    state: CauseState | None = None
    page_token: str | None = None
    limit: Limit = 100


class CollectCauses(Request[int], frozen=True, kw_only=True):
    """Look at the events and scheduled times that a trigger has not looked at; gives how many counted.

    Looks at a bounded number at a time: ask again while the trigger has news.
    """

    name: str


class FoundFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it was found: it counts once for each content, told apart by size and time of change."""

    path: str
    size_bytes: int
    modified_ns: int
    changed_at: datetime
    """When it came to be here, which copying does not keep."""


class ReportFiles(Request[int], frozen=True, kw_only=True):
    """Say which files a trigger's `source` matches; gives how many counted.

    Those that were there before the source was declared don't.
    """

    name: str
    source: str
    files: Annotated[tuple[FoundFile, ...], Meta(max_length=MAX_FILES)]


class ReportCommit(Request[bool], frozen=True, kw_only=True):
    """Say at which commit the branch of a trigger's `source` is; gives whether it counted.

    `previous` is the commit that the trigger knew when it was looked at; if it knows another by now, somebody
    else has told. The first commit that is seen is where counting begins.
    """

    name: str
    source: str
    commit: Annotated[str, Meta(min_length=1, max_length=64)]
    previous: str | None = None


class FireTrigger(Request[PipelineRun | None], frozen=True, kw_only=True):
    """Ask for the run that a trigger is due to ask for; None if, by now, it isn't.

    The run and what becomes of its causes are recorded together. What no run can be made of (it names no
    partition, or data that was removed) is skipped, and gives None too: ask again for what waits behind it.
    """

    name: str


class NoteTriggerError(Request[None], frozen=True, kw_only=True):
    """Keep why a trigger could not look or ask for a run; None once it could."""

    name: str
    error: str | None


class HasWaitNews(Request[bool], frozen=True, kw_only=True):
    """Whether anything happened that may be what a run waits for."""


class NoticeWaits(Request[int], frozen=True, kw_only=True):
    """Tell runs that wait for an event that it has happened; gives how many go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookCall:
    """A call of a webhook as it came: its body, and the headers that say who sent it."""

    body: str
    headers: dict[str, str]


class CheckHook(Request[None], frozen=True, kw_only=True):
    """Raise `Denied` unless a call is signed with the trigger's secret, and no older than five minutes."""

    name: str
    call: HookCall


class ReceiveHook(Request[Cause], frozen=True, kw_only=True):
    """Count a signed call of a trigger's webhook; the same delivery counts once."""

    name: str
    call: HookCall
