"""Every metric of the console. Names are an interface: renaming one is a change in the changelog."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.console.domain.accounts import SignIn

REQUEST_OUTCOMES = ("ok", "client_error", "server_error")


class Metrics:
    """Created at zero, so that a panel shows 0 and not a hole."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.streams_open = Gauge(
            "firenet_console_streams_open", "Browsers that follow the live page", registry=registry
        )
        self.streams_refused = Counter(
            "firenet_console_streams_refused", "Streams refused because a bound was reached", registry=registry
        )
        self.snapshot_seconds = Histogram(
            "firenet_console_snapshot_seconds",
            "Reading one slice from the database and encoding it",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=registry,
        )
        self.read_failures = Counter(
            "firenet_console_read_failures", "Reads of the database that failed or timed out", registry=registry
        )
        self.events = Counter("firenet_console_events", "Messages handed to browsers", ["kind"], registry=registry)
        self.logins = Counter(
            "firenet_console_logins", "Attempts to sign in by outcome", ["outcome"], registry=registry
        )
        self.acknowledgements = Counter(
            "firenet_console_acknowledgements", "Clicks on acknowledge by outcome", ["outcome"], registry=registry
        )
        self.requests = Counter(
            "firenet_console_requests",
            "HTTP requests by outcome, streams counted at their start",
            ["outcome"],
            registry=registry,
        )
        self.refusals = Counter(
            "firenet_console_refusals", "Refusals read from the log: kept as rows, or only counted", ["how"],
            registry=registry,
        )  # fmt: skip
        self.replay_orders = Counter(
            "firenet_console_replay_orders", "Clicks on replay by outcome", ["outcome"], registry=registry
        )
        for how in ("kept", "counted", "unreadable"):
            self.refusals.labels(how)
        for outcome in ("ok", "conflict", "orders_unavailable", "not_allowed"):
            self.replay_orders.labels(outcome)
        for attempt in SignIn:
            self.logins.labels(attempt.value)
        for outcome in ("ok", "not_found", "conflict", "alerts_unavailable"):
            self.acknowledgements.labels(outcome)
        for outcome in REQUEST_OUTCOMES:
            self.requests.labels(outcome)
        for kind in ("snapshot", "update", "beat"):
            self.events.labels(kind)
