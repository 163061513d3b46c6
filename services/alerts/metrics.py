"""Everything that alerts counts. Closed label sets are created at zero; no unit or contact is ever a label."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.alerts.domain.audit.overview import Violation
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.lifecycle import Action
from services.alerts.domain.delivery.attempts import NEVER_AGAIN, DeliveryState
from services.alerts.domain.delivery.delivery_reports import REFUSED_AT_THE_DOOR, ReportOutcome
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.synthetic import RunOutcome
from services.kernel.words import BY_TELEPHONE, AlarmState, Channel

_FIRE_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class AlertsMetrics:
    """One instance per process, on its own registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.retention_rows = Counter(
            "firenet_alerts_retention_rows_removed", "Rows that had aged, removed.", ["table"], registry=registry
        )
        self.retention_chunks = Counter(
            "firenet_alerts_retention_chunks_removed", "Chunks of hypertables that had aged, removed.", ["table"],
            registry=registry,
        )  # fmt: skip
        self.retention_failures = Counter(
            "firenet_alerts_retention_failures", "Turns in which nothing of a table could be removed.", ["table"],
            registry=registry,
        )  # fmt: skip
        self.events = Counter(
            "firenet_alerts_events_total",
            "Findings and fire signals taken in, by what was decided",
            ["kind", "action"],
            registry=registry,
        )
        self.duplicates = Counter(
            "firenet_alerts_duplicates_total",
            "Records taken in before, without a second effect",
            ["topic"],
            registry=registry,
        )
        self.rejected = Counter(
            "firenet_alerts_rejected_total",
            "Records on our topics that are not events of theirs",
            ["topic"],
            registry=registry,
        )
        self.steps = Counter("firenet_alerts_steps_total", "Ladder steps taken", ["kind", "step"], registry=registry)
        self.nobody = Counter(
            "firenet_alerts_steps_without_contact_total",
            "Steps whose own recipients have no contact",
            ["step"],
            registry=registry,
        )
        self.attempts = Counter(
            "firenet_alerts_attempts_total",
            "Delivery attempts by what came of them",
            ["channel", "fate", "reason"],
            registry=registry,
        )
        self.channel_broken = Gauge(
            "firenet_alerts_channel_broken",
            "1 while a channel works without a file that the settings name, which could not be used at start",
            ["channel"],
            registry=registry,
        )
        self.delivery_reports = Counter(
            "firenet_alerts_delivery_reports_total",
            "What providers reported of text messages and calls, and what was refused as no report of theirs",
            ["channel", "fate"],
            registry=registry,
        )
        self.first_dead = Counter(
            "firenet_alerts_first_notices_dead_total",
            "First notices of fires that were given up: somebody has not been told",
            ["channel", "reason"],
            registry=registry,
        )
        self.database_away = Gauge(
            "firenet_alerts_database_away",
            "1 while the database does not answer and the fire lane tells from memory",
            registry=registry,
        )
        self.notified_from_memory = Counter(
            "firenet_alerts_notified_from_memory_total",
            "Fire signals acted upon while the database was away",
            registry=registry,
        )
        self.written_down = Counter(
            "firenet_alerts_written_down_total",
            "Notices sent while the database was away and written down since",
            registry=registry,
        )
        self.cancelled = Counter(
            "firenet_alerts_cancelled_total", "Notices not sent any more", ["reason"], registry=registry
        )
        self.without_document = Counter(
            "firenet_alerts_notices_without_document_total",
            "Notices that left with our own short text because their document had not come in time",
            registry=registry,
        )
        self.documents = Counter(
            "firenet_alerts_documents_total",
            "Documents taken in: attached to notices that waited, or unused because these had left or were taken back",
            ["use"],
            registry=registry,
        )
        self.digests = Counter(
            "firenet_alerts_digests_total", "Digests made: mails for many notices", registry=registry
        )
        self.digest_members = Counter(
            "firenet_alerts_digest_notices_total", "Notices that were put into a digest", registry=registry
        )
        self.fire_latency = Histogram(
            "firenet_alerts_fire_latency_seconds",
            "From the fire signal's received_at to a notice accepted by its channel",
            buckets=_FIRE_BUCKETS,
            registry=registry,
        )
        self.open_cases = Gauge(
            "firenet_alerts_open_cases", "Open cases in the database", ["kind", "department"], registry=registry
        )
        self.alarm_states = Gauge(
            "firenet_alerts_cases_in_alarm_state",
            "Cases by their state of ISA-18.2; returned unacknowledged at most 10000, normal none",
            ["state"],
            registry=registry,
        )
        for alarm_state in AlarmState:
            self.alarm_states.labels(alarm_state)
        self.waiting = Gauge(
            "firenet_alerts_notices_waiting",
            "Notices in the outbox that have not ended",
            ["channel", "reason"],
            registry=registry,
        )
        self.oldest_due = Gauge(
            "firenet_alerts_oldest_due_step_age_seconds", "Age of the oldest step that is due", registry=registry
        )
        self.violations = Gauge(
            "firenet_alerts_escalation_violations",
            "Open cases and notices that nothing, or nobody, would bring forward",
            ["why"],
            registry=registry,
        )
        self.unsealed = Gauge(
            "firenet_alerts_audit_unsealed", "Audit entries that wait for their place in the chain", registry=registry
        )
        self.calendar_unconfirmed = Gauge(
            "firenet_alerts_calendar_unconfirmed",
            "1 when a reply deadline was counted in a year whose working days are only projected",
            registry=registry,
        )
        self.recounted = Counter(
            "firenet_alerts_clocks_recounted_total",
            "Clocks of open cases that moved because the calendar of working days is known better",
            ["kind"],
            registry=registry,
        )
        self.pack_expired = Gauge(
            "firenet_alerts_pack_expired", "1 when the policy pack in use is no longer valid", registry=registry
        )
        self.without_pack = Counter(
            "firenet_alerts_cases_without_pack_total",
            "Cases opened in a district without a policy pack: told once, no ladder follows",
            registry=registry,
        )
        self.over_quota = Counter(
            "firenet_alerts_over_quota_total",
            "Ordinary notices that went to no telephone because their ladder would break its quota",
            ["channel"],
            registry=registry,
        )
        self.common_causes = Counter(
            "firenet_alerts_common_causes_total", "Common cases opened or told anew", registry=registry
        )
        self.synthetic_runs = Counter(
            "firenet_alerts_synthetic_runs_total", "Synthetic alarms that ended", ["outcome"], registry=registry
        )
        for outcome in RunOutcome:
            self.synthetic_runs.labels(outcome)
        self.synthetic_last_success = Gauge(
            "firenet_alerts_synthetic_last_success_timestamp_seconds",
            "When the last synthetic alarm that passed everything in time was started, 0 without one",
            registry=registry,
        )
        self.synthetic_duration = Gauge(
            "firenet_alerts_synthetic_duration_seconds",
            "How long the last synthetic alarm took that passed everything in time",
            registry=registry,
        )
        self.synthetic_failing = Gauge(
            "firenet_alerts_synthetic_failing",
            "1 when the last synthetic alarm did not pass everything in time",
            registry=registry,
        )
        self.synthetic_interval = Gauge(
            "firenet_alerts_synthetic_interval_seconds",
            "How often a synthetic alarm is sent, 0 where this process sends none",
            registry=registry,
        )
        self.synthetic_overflow = Counter(
            "firenet_alerts_synthetic_overflow_total",
            "Records of synthetic alarms passed over because too many came at once",
            registry=registry,
        )
        self.heartbeats = Counter(
            "firenet_alerts_heartbeats_total",
            "Times that an outside watcher was to hear of us, by what came of it",
            ["outcome"],
            registry=registry,
        )
        for word in ("sent", "failed", "withheld"):
            self.heartbeats.labels(word)
        self.turns = Counter("firenet_alerts_turns_total", "Turns of each task", ["task"], registry=registry)
        self.task_failures = Counter(
            "firenet_alerts_task_failures_total",
            "Turns of tasks beside the alarms that failed unexpectedly; they are tried again, no alarm waits for them",
            ["task"],
            registry=registry,
        )
        for task in ("synthetic", "synthetic-schedule", "heartbeat", "delivery-reports", "delivery-report-questions"):
            self.task_failures.labels(task)
        for channel in BY_TELEPHONE:
            self.over_quota.labels(channel)
            for fate in ReportOutcome:
                self.delivery_reports.labels(channel, fate)
        for fate in REFUSED_AT_THE_DOOR:
            self.delivery_reports.labels("none", fate)
        self._zero()

    def _zero(self) -> None:
        for kind in CaseKind:
            for action in Action:
                self.events.labels(kind, action)
        for channel in Channel:
            self.channel_broken.labels(channel)
            self.attempts.labels(channel, DeliveryState.ACCEPTED, "none")
            for reason in NEVER_AGAIN:
                self.first_dead.labels(channel, reason)
            for reason in Reason:
                for state in (DeliveryState.RETRY, DeliveryState.DEAD):
                    self.attempts.labels(channel, state, reason)
        for reason in (Reason.CASE_CLOSED, Reason.ACKNOWLEDGED, Reason.REOPENED):
            self.cancelled.labels(reason)
        for use in ("attached", "unused"):
            self.documents.labels(use)
        for why in Violation:
            self.violations.labels(why)
