"""Every metric that a serving process exports, in one list.

The first six carry MLServer's names, so dashboards made for it go on working.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The metrics of one serving process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        version = ("model", "version")
        self.requests = Counter(
            "rest_server_requests",
            "HTTP requests by method, route and status.",
            ("method", "path", "status_code"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "rest_server_request_duration_seconds",
            "Time to answer an HTTP request.",
            ("path",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.in_progress = Gauge(
            "rest_server_requests_in_progress",
            "HTTP requests being answered.",
            registry=self.registry,
        )
        self.succeeded = Counter(
            "model_infer_request_success",
            "Requests that a model version answered.",
            version,
            registry=self.registry,
        )
        self.failed = Counter(
            "model_infer_request_failure",
            "Requests that a model version failed to answer.",
            version,
            registry=self.registry,
        )
        self.model_seconds = Histogram(
            "model_infer_request_duration",
            "Seconds from a request's arrival to a model version's answer.",
            version,
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.rows = Counter(
            "mainspring_predictions",
            "Rows answered, by arm.",
            ("service", "version", "arm"),
            registry=self.registry,
        )
        self.labels = Counter(
            "mainspring_labels", "Labels received.", ("service",), registry=self.registry
        )
        self.fallbacks = Counter(
            "mainspring_candidate_fallbacks",
            "Requests that the champion answered because the candidate failed.",
            ("service",),
            registry=self.registry,
        )
        self.shadow_dropped = Counter(
            "mainspring_shadow_dropped",
            "Copies of requests that the shadow had no time for.",
            ("service",),
            registry=self.registry,
        )
        self.queue = Gauge(
            "mainspring_queued_requests",
            "Requests that wait for a worker.",
            version,
            registry=self.registry,
        )
        self.workers = Gauge(
            "mainspring_model_workers",
            "Workers that are ready.",
            version,
            registry=self.registry,
        )
        self.restarts = Gauge(
            "mainspring_worker_restarts",
            "Workers lost since their version was loaded.",
            version,
            registry=self.registry,
        )
        self.log_dropped = Gauge(
            "mainspring_log_dropped_records",
            "Records that a failing disk kept out of the prediction log.",
            registry=self.registry,
        )
        self.routing_version = Gauge(
            "mainspring_routing_version",
            "The routing that this process follows.",
            registry=self.registry,
        )

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self.registry)
