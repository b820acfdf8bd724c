"""What may stand in `mainspring.toml`: one class per table, from which the checks and the JSON Schema come.

The defaults are those of the domain's policies: a key that is left out stays UNSET and is not passed on.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from mainspring.domain.gate import MIN_SLICE_ROWS, RareSlices, SliceProof
from mainspring.domain.rollout import GuardMetric, Strategy
from mainspring.domain.service import DriftPolicy
from mainspring.domain.trigger import CatchUp, TriggerMode

# `$` alone would let a line end pass behind the text.
DURATION_PATTERN = r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$(?!\n)"
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$(?!\n)"
PIPELINE_PATTERN = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$(?!\n)"

Duration = Annotated[
    str, Meta(pattern=DURATION_PATTERN, description="A duration: 30s, 10m, 1h30m, 7d.")
]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=NAME_PATTERN)]
Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[int, Meta(ge=1, le=1_000_000_000)]


class Table(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A table of the file, whose unknown keys are errors."""


class VersusChampionTable(Table, frozen=True, kw_only=True):
    """Compare the candidate with the champion on the same held-out rows."""

    max_regression: Annotated[
        float, Meta(ge=0, le=10, description="How much worse it may be, as a share.")
    ] = 0.0
    confidence: Annotated[
        float, Meta(gt=0, lt=1, description="How sure that must be; between 0 and 1.")
    ] = 0.95
    min_rows: Annotated[
        Positive, Meta(description="With fewer held-out rows the gate does not pass.")
    ] = 100


class SliceByTable(Table, frozen=True, kw_only=True):
    """A column of numbers, cut into ranges at its edges."""

    column: Annotated[str, Meta(min_length=1, max_length=250)]
    edges: Annotated[
        list[float],
        Meta(min_length=1, max_length=100, description="Where ranges begin, growing."),
    ]


class SlicesTable(Table, frozen=True, kw_only=True):
    """The parts of the held-out rows in each of which a gate's promises hold."""

    by: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=250)] | SliceByTable],
        Meta(min_length=1, max_length=20, description="Columns whose values part the rows."),
    ]
    depth: Annotated[
        int, Meta(ge=1, le=20, description="How many columns are combined at most.")
    ] = 1
    confidence: Annotated[
        float, Meta(gt=0, lt=1, description="For all slices together; between 0 and 1.")
    ] = 0.95
    min_rows: Annotated[
        int,
        Meta(
            ge=MIN_SLICE_ROWS,
            le=1_000_000_000,
            description="A slice with fewer rows is inconclusive, which never passes.",
        ),
    ] = 50
    proof: Annotated[
        SliceProof, Meta(description="Whether harm is to be shown of a slice, or its absence.")
    ] = SliceProof.OF_HARM
    rare: Annotated[RareSlices, Meta(description="What becomes of slices with too few rows.")] = (
        RareSlices.INCONCLUSIVE
    )


class GateTable(Table, frozen=True, kw_only=True):
    """A promise that a candidate must keep before it may serve; with `slices`, in each of these."""

    metric: Annotated[str, Meta(min_length=1, max_length=250)]
    min: float | None = None
    max: float | None = None
    versus_champion: VersusChampionTable | None = None
    slices: SlicesTable | None = None


class GuardTable(Table, frozen=True, kw_only=True):
    """A limit on live traffic that ends a rollout when it is crossed."""

    metric: GuardMetric
    max: Annotated[float, Meta(ge=0)]
    min_requests: Positive = 20


class RolloutTable(Table, frozen=True, kw_only=True):
    """How a candidate comes to answer."""

    strategy: Strategy | UnsetType = UNSET
    steps: (
        Annotated[
            list[Annotated[float, Meta(gt=0, le=1)]],
            Meta(min_length=1, max_length=100, description="Growing shares that end at 1.0."),
        ]
        | UnsetType
    ) = UNSET
    hold: Duration | UnsetType = UNSET
    min_requests: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    max_duration: Duration | UnsetType = UNSET
    guard: list[GuardTable] = []


class LabelsTable(Table, frozen=True, kw_only=True):
    """Where labels come from besides the labels endpoint: a column of a dataset, joined by key."""

    dataset: Name
    key: Annotated[str, Meta(min_length=1)]
    column: Annotated[str, Meta(min_length=1)]


class MonitorTable(Table, frozen=True, kw_only=True):
    """How predictions are watched."""

    window: Duration | UnsetType = UNSET
    lateness: Duration | UnsetType = UNSET
    drift: DriftPolicy | UnsetType = UNSET
    psi_threshold: Annotated[float, Meta(gt=0)] | UnsetType = UNSET
    max_error_growth: Annotated[float, Meta(ge=0)] | UnsetType = UNSET
    persistence: Annotated[int, Meta(ge=1, le=1000)] | UnsetType = UNSET
    min_rows: Positive | UnsetType = UNSET
    labels: LabelsTable | UnsetType = UNSET


class ApprovalsTable(Table, frozen=True, kw_only=True):
    """How many people must say yes before a candidate may serve."""

    production: Annotated[int, Meta(ge=0, le=100)] = 0
    not_by_author: bool = False


class RetrainTable(Table, frozen=True, kw_only=True):
    """When a new model is trained. The first one always is."""

    on: Annotated[
        list[
            Annotated[
                str,
                Meta(
                    description="new-data, harmful-drift, or a schedule such as "
                    "schedule: 0 3 * * 1 Europe/Berlin"
                ),
            ]
        ],
        Meta(max_length=10),
    ] = []
    cooldown: Duration | UnsetType = UNSET
    max_failures: Annotated[int, Meta(ge=1, le=1000)] | UnsetType = UNSET
    approvals: ApprovalsTable = msgspec.field(default_factory=ApprovalsTable)


class ServeTable(Table, frozen=True, kw_only=True):
    """How predictions are answered."""

    workers: Annotated[int, Meta(ge=1, le=256)] | UnsetType = UNSET
    timeout: Duration | UnsetType = UNSET
    max_queue: Annotated[int, Meta(ge=1, le=1_000_000)] | UnsetType = UNSET
    require_signed: Annotated[
        bool, Meta(description="Load only versions that a trusted key signed.")
    ] = False


class ServiceTable(Table, frozen=True, kw_only=True):
    """One service: what makes its model, on which data, and what is promised of it."""

    pipeline: Annotated[
        str, Meta(pattern=PIPELINE_PATTERN, description="module:function of the pipeline")
    ]
    model: Annotated[str, Meta(min_length=1, max_length=250)] | UnsetType = UNSET
    data: Annotated[
        dict[str, Name],
        Meta(min_length=1, description="The pipeline's dataset parameters and their datasets."),
    ]
    expect: (
        Annotated[
            str | dict[str, str], Meta(description="The schema's file; or one file per dataset.")
        ]
        | UnsetType
    ) = UNSET
    # Whatever the pipeline takes; it is checked against the pipeline when a run is requested.
    params: dict[str, Any] = {}
    gate: list[GateTable] = []
    rollout: RolloutTable = msgspec.field(default_factory=RolloutTable)
    monitor: MonitorTable = msgspec.field(default_factory=MonitorTable)
    retrain: RetrainTable = msgspec.field(default_factory=RetrainTable)
    serve: ServeTable = msgspec.field(default_factory=ServeTable)


class BudgetTable(Table, frozen=True, kw_only=True):
    """At most so many runs within any such span."""

    runs: Positive
    per: Duration = "1d"


class TriggerTable(Table, frozen=True, kw_only=True):
    """When a pipeline runs by itself, and with what."""

    pipeline: Annotated[
        str, Meta(pattern=PIPELINE_PATTERN, description="module:function of the pipeline")
    ]
    on: Annotated[
        list[
            Annotated[
                str,
                Meta(
                    min_length=1,
                    max_length=1000,
                    description="What is waited for: schedule: 0 3 * * 1 Europe/Berlin, data: rides, "
                    "incident: demand, finding: demand, model: demand, champion: demand, webhook, "
                    "file: inbox/*.csv, git: REPOSITORY BRANCH",
                ),
            ]
        ],
        Meta(max_length=50),
    ] = []
    data: Annotated[
        dict[str, Name],
        Meta(description="Dataset parameters whose dataset is called otherwise, and that name."),
    ] = {}
    # Whatever the pipeline takes; text may name a value of what happened, as in ${day}.
    params: dict[str, Any] = {}
    mode: TriggerMode | UnsetType = UNSET
    catch_up: CatchUp | UnsetType = UNSET
    debounce: Duration | UnsetType = UNSET
    cooldown: Duration | UnsetType = UNSET
    max_staleness: Duration | UnsetType = UNSET
    budget: BudgetTable | UnsetType = UNSET
    concurrency: Annotated[int, Meta(ge=1, le=1000)] | UnsetType = UNSET
    priority: Annotated[int, Meta(ge=-1000, le=1000)] | UnsetType = UNSET


class File(Table, frozen=True, kw_only=True):
    """A whole `mainspring.toml`."""

    service: dict[Name, ServiceTable] = {}
    trigger: dict[Name, TriggerTable] = {}
