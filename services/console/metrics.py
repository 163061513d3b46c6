"""Every metric of the console. Names are an interface: renaming one is a change in the changelog."""

from collections.abc import Callable, Iterable, Mapping
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.console.domain.accounts import SignIn
from services.console.domain.adjustments import Decision
from services.console.domain.register import ProposalDecision
from services.console.domain.report_schedules import ScheduleAct, Trouble
from services.kernel.ratio import Ratio, floored

REQUEST_OUTCOMES = ("ok", "client_error", "server_error")
CASE_ACTS = (
    "acknowledge_all", "own", "release", "comment", "verify", "shelve", "unshelve", "escalate", "merge",
)  # fmt: skip
ACCOUNT_ACTS = (
    "password",
    "sign_out",
    "create",
    "edit",
    "reset",
    "disable",
    "screen",
    "second_factor_begin",
    "second_factor",
    "second_factor_removed",
    "second_factor_reset",
    "link",
)


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
        self.case_acts = Counter(
            "firenet_console_case_acts",
            "Work on cases beside acknowledging one: what was asked for, by outcome",
            ["act", "outcome"],
            registry=registry,
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
        self.adjustments = Counter(
            "firenet_console_adjustments",
            "Requests and decisions about adjustments by outcome",
            ["action", "outcome"],
            registry=registry,
        )
        self.proposals = Counter(
            "firenet_console_proposals",
            "Forms and files for the register that were tried, handed in and decided about, by outcome",
            ["action", "outcome"],
            registry=registry,
        )
        self.health_samples = Counter(
            "firenet_console_health_samples",
            "Samples for the charts of the health page, one a minute: stored, or failed and a gap there",
            ["outcome"],
            registry=registry,
        )
        _at_zero(self.health_samples, ("stored", "failed"))
        outcomes = ("ok", "not_allowed", "same_person", "not_waiting", "bad_adjustment", "registry_unavailable")
        self.mail_acts = Counter(
            "firenet_console_mail_acts_total",
            "Mails that came as answers: joined to a document, taken as a reply, refused",
            ["act", "outcome"],
            registry=registry,
        )
        self.listing_acts = Counter(
            "firenet_console_listing_acts_total",
            "What signed-in accounts did with listings for supervision, from the proposal to the closure",
            ["act", "outcome"],
            registry=registry,
        )
        self.document_acts = Counter(
            "firenet_console_document_acts_total",
            "Signatures, replies, decisions, taken back links and circulars of signed-in accounts",
            ["act", "outcome"],
            registry=registry,
        )
        _at_zero(self.adjustments, ("request", "score", *Decision), outcomes)
        self.account_acts = Counter(
            "firenet_console_account_acts",
            "Passwords and second factors changed, work of administrators on accounts, by outcome",
            ["act", "outcome"],
            registry=registry,
        )
        account_outcomes = ("ok", "not_allowed", "wrong_password", "wrong_code", "locked_out", "bad_account")
        _at_zero(self.account_acts, ACCOUNT_ACTS, account_outcomes)
        self.schedule_acts = Counter(
            "firenet_console_schedule_acts", "Schedules of reports made and changed, by outcome", ["act", "outcome"],
            registry=registry,
        )  # fmt: skip
        scheduled = ("ok", "not_allowed", "not_found", "schedule_exists", "bad_recipients")
        _at_zero(self.schedule_acts, ("create", "recipients", *ScheduleAct), scheduled)
        proposed = (*outcomes, "faulty_file", "no_change", "changed_since")
        _at_zero(self.proposals, ("preview", "request", "what_if", *ProposalDecision), proposed)
        _at_zero(self.refusals, ("kept", "counted", "unreadable"))
        _at_zero(self.replay_orders, ("ok", "conflict", "orders_unavailable", "not_allowed"))
        _at_zero(self.logins, (attempt.value for attempt in SignIn))
        _at_zero(self.acknowledgements, ("ok", "not_found", "conflict", "alerts_unavailable"))
        _at_zero(self.case_acts, CASE_ACTS, ("ok", "not_found", "conflict", "alerts_unavailable"))
        _at_zero(self.mail_acts, ("join", "take", "refuse"), ("ok", "refused"))
        _at_zero(self.document_acts, ("sign", "submit", "decide", "revoke", "circular"), ("ok", "refused"))
        _at_zero(self.requests, REQUEST_OUTCOMES)
        _at_zero(self.events, ("snapshot", "update", "beat"))


class ReportMailMetrics:
    """Mails with reports. What several processes share, the database tells each of them: take the greatest."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.tries = Counter(
            "firenet_console_report_mails", "Tries to send a report by mail: sent, or the trouble", ["outcome"],
            registry=registry,
        )  # fmt: skip
        self.turns = Counter(
            "firenet_console_report_turns", "Looks at which reports are due, by how they ended", ["outcome"],
            registry=registry,
        )  # fmt: skip
        self.passed_over = Counter(
            "firenet_console_reports_passed_over",
            "Periods of scheduled reports that a newer one was sent instead of",
            registry=registry,
        )
        self.waiting = Gauge(
            "firenet_console_report_mails_waiting", "Mails with reports that wait to be sent", registry=registry
        )
        self.failed = Gauge(
            "firenet_console_report_mails_given_up", "Mails with reports given up within a week", registry=registry
        )
        self.oldest = Gauge(
            "firenet_console_report_mails_waiting_seconds",
            "Age of the oldest mail with a report that was tried in vain and is tried again",
            registry=registry,
        )
        _at_zero(self.tries, ("sent", *Trouble))
        _at_zero(self.turns, ("ok", "data_unavailable", "failed"))


def _at_zero(counter: Counter, *values: Iterable[str]) -> None:
    for labels in product(*values):
        counter.labels(*labels)


class RateGauges:
    """The live networking rate by scope, and by scope and lead department: counts, and both bounds floored.

    Computed here because Prometheus must not: a division there is floored nowhere, or by a second rule.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauges(what: str, *labels: str) -> _Figures:
            return _Figures(lambda name, text: Gauge(f"firenet_console_{what}_{name}", text, labels, registry=registry))

        self._scopes = gauges("scope", "scope")
        self._departments = gauges("department_scope", "scope", "department")

    def show(self, scopes: Mapping[tuple[str, ...], Ratio], departments: Mapping[tuple[str, ...], Ratio]) -> None:
        """Replace all series; what is in neither any more has none, and so has a rate of nobody."""
        self._scopes.show(scopes)
        self._departments.show(departments)


class _Figures:
    def __init__(self, gauge: Callable[[str, str], Gauge]) -> None:
        self._units = gauge("units", "Denominator of the live networking rate: units in scope that are not exempt")
        self._connected = gauge("connected_units", "Numerator of the live networking rate")
        self._unknown = gauge("unknown_units", "Units of the live networking rate that are unknown")
        self._exempt = gauge("exempt_units", "Units in scope that are exempt, in no rate")
        self._low = gauge(
            "networking_rate_low_ratio", "Live networking rate if no unknown unit were connected, floored"
        )
        self._high = gauge("networking_rate_high_ratio", "Live networking rate if every unknown unit were, floored")

    def show(self, found: Mapping[tuple[str, ...], Ratio]) -> None:
        for gauge in (self._units, self._connected, self._unknown, self._exempt, self._low, self._high):
            gauge.clear()
        for labels, ratio in found.items():
            self._units.labels(*labels).set(ratio.denominator)
            self._connected.labels(*labels).set(ratio.numerator)
            self._unknown.labels(*labels).set(ratio.unknown)
            self._exempt.labels(*labels).set(ratio.exempt)
            if ratio.low is not None and ratio.high is not None:
                self._low.labels(*labels).set(floored(ratio.low))
                self._high.labels(*labels).set(floored(ratio.high))
