"""What compliance exports."""

from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.compliance.domain.figure import Figure
from services.compliance.domain.interruptions import StandingOutage
from services.compliance.domain.outages import WORDS as OUTAGES_OF
from services.compliance.domain.publishing import Key
from services.compliance.domain.what_if import Unanswered
from services.compliance.ports import NewFigure, Trouble
from services.kernel.ratio import floored
from services.kernel.words import Dimension, Period

MAX_DEPARTMENTS = 60
"""Some 40 series each: of a district with more, the console and the table show the rest."""
SHOWN = (Dimension.DISTRICT, Dimension.DEPARTMENT)
DROPPED_TABLES = ("heartbeats", "unit_days", "signals", "checks", "interruptions", "losses", "outages")
SHOWN_PERIODS = (Period.DAY, Period.MONTH)


class ArchiveMetrics:
    """Counters of the archive of the log; every label value stands at zero from the start."""

    def __init__(self, registry: CollectorRegistry, topics: Sequence[str] = ()) -> None:
        self.records = Counter("firenet_archive_records", "Records written.", ["topic"], registry=registry)
        self.line_bytes = Counter(
            "firenet_archive_line_bytes", "Bytes of lines before compression.", ["topic"], registry=registry
        )
        self.undecodable = Counter(
            "firenet_archive_undecodable", "Records that are no JSON, kept as they are.", ["topic"], registry=registry
        )
        self.clamped = Counter(
            "firenet_archive_clamped",
            "Records with a time before that of their forerunner, or before what was whole, which they were given.",
            ["topic"],
            registry=registry,
        )
        self.lost = Counter(
            "firenet_archive_lost", "Offsets that Kafka had dropped before they were archived.", ["topic"],
            registry=registry,
        )  # fmt: skip
        self.files = Counter("firenet_archive_files", "Files finished.", ["topic"], registry=registry)
        self.dropped = Counter("firenet_archive_files_dropped", "Files older than is kept.", registry=registry)
        self.waits = Counter("firenet_archive_waits", "Times that archiving waited.", ["reason"], registry=registry)
        self.waiting = Gauge("firenet_archive_waiting", "1 while archiving waits.", ["reason"], registry=registry)
        self.behind = Gauge("firenet_archive_behind_records", "Records not read yet.", ["topic"], registry=registry)
        self.free = Gauge("firenet_archive_free_bytes", "Room on the disk of the archive.", registry=registry)
        self.finished_at = Gauge(
            "firenet_archive_finished_timestamp_seconds", "When all files were last finished.", registry=registry
        )
        for topic in topics:
            for family in (self.records, self.line_bytes, self.undecodable, self.clamped, self.lost, self.files):
                family.labels(topic)
            self.behind.labels(topic)
        for reason in Trouble:
            self.waits.labels(reason)
            self.waiting.labels(reason)


class ClosingMetrics:
    """Progress of closing, and figures of the periods at hand for districts and departments.

    Bounded: days and months only, closed last or running; at most MAX_DEPARTMENTS departments, the rest is counted.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.steps = Counter("firenet_figures_steps", "Steps of the log that were read.", registry=registry)
        self.units = Counter("firenet_figures_units_computed", "Units computed.", registry=registry)
        self.waits = Counter("firenet_figures_waits", "Times that closing waited.", registry=registry)
        self.known_at = Gauge(
            "firenet_figures_known_at_timestamp_seconds", "Figures are those of the log up to here.", registry=registry
        )
        self.revisions = Counter(
            "firenet_figures_published", "Revisions published.", ["period", "revised"], registry=registry
        )
        self.refused = Counter(
            "firenet_figures_refused",
            "Periods that should have been computed again, and stay as published: what they came from is gone.",
            ["period"],
            registry=registry,
        )
        self.too_late = Counter(
            "firenet_figures_too_late", "Signals of days whose figures are final.", registry=registry
        )  # fmt: skip
        self.late_troubles = Counter(
            "firenet_figures_late_troubles",
            "Signals of days whose figures are final that begin a trouble; what ended it may be gone.",
            registry=registry,
        )
        self.final_before = Gauge(
            "firenet_figures_final_before_timestamp_seconds", "Figures of days before it are final.", registry=registry
        )
        self.outages = Counter(
            "firenet_outages_published", "Revisions of outages published.", ["attribution", "revised"],
            registry=registry,
        )  # fmt: skip
        self.dropped = Counter(
            "firenet_figures_rows_dropped",
            "Rows that went when their days became final, by table of compliance.",
            ["table"],
            registry=registry,
        )
        self.scores = Counter("firenet_scores_published", "Revisions of scores of bodies.", registry=registry)
        self.scoring_failures = Counter(
            "firenet_scoring_failures", "Times that scores could not be made, by a fault of ours.", registry=registry
        )
        self.provisional = Gauge(
            "firenet_scores_provisional", "Scores in which something is open yet.", registry=registry
        )
        self.hidden = Gauge(
            "firenet_figures_hidden_departments", "Departments beyond those that have series.", registry=registry
        )
        self._shown_from: dict[Period, int] = {}
        labels = ["metric", "scope", "period", "state", "slice", "id"]
        self.low = Gauge("firenet_figure_low_ratio", "Lower bound, floored.", labels, registry=registry)
        self.high = Gauge("firenet_figure_high_ratio", "Upper bound, floored.", labels, registry=registry)
        for table in DROPPED_TABLES:
            self.dropped.labels(table)
        for whose in OUTAGES_OF:
            for revised in ("no", "yes"):
                self.outages.labels(whose, revised)
        for kind in Period:
            self.refused.labels(kind.value)
            for revised in ("no", "yes"):
                self.revisions.labels(kind.value, revised)

    def outages_published(self, new: Sequence[StandingOutage]) -> None:
        for each in new:
            self.outages.labels(each.outage.attribution, "yes" if each.revision > 1 else "no").inc()

    def dropped_rows(self, many: Mapping[str, int]) -> None:
        for table, rows in many.items():
            self.dropped.labels(table).inc(rows)

    def published(self, new: Sequence[NewFigure]) -> None:
        for each in new:
            self.revisions.labels(each.key.window.kind.value, "yes" if each.revision > 1 else "no").inc()

    def show(self, closed: Sequence[tuple[Key, Figure]], running: Sequence[tuple[Key, Figure]]) -> None:
        """Put these in place of what is shown: of closed periods the newest of each kind, of running ones all."""
        if closed:
            self._show("closed", self._newest(closed))
        self._show("running", running)

    def _show(self, state: str, figures: Sequence[tuple[Key, Figure]]) -> None:
        departments = sorted({key.slice_id for key, _ in figures if key.slice_kind == Dimension.DEPARTMENT})
        hidden = frozenset(departments[MAX_DEPARTMENTS:])
        self.hidden.set(len(hidden))
        for kind in {key.window.kind.value for key, _ in figures}:
            for gauge in (self.low, self.high):
                gauge.remove_by_labels({"state": state, "period": kind})
        for key, figure in figures:
            low, high = figure.counted.ratio.low, figure.counted.ratio.high
            if key.slice_kind not in SHOWN or key.window.kind not in SHOWN_PERIODS or key.slice_id in hidden:
                continue
            if low is None or high is None:
                continue
            labels = (key.metric, key.scope, key.window.kind.value, state, key.slice_kind, key.slice_id)
            self.low.labels(*labels).set(floored(low))
            self.high.labels(*labels).set(floored(high))

    def _newest(self, figures: Sequence[tuple[Key, Figure]]) -> list[tuple[Key, Figure]]:
        """Return those of the newest period of each kind, none of a kind of which a newer one is shown."""
        for key, _ in figures:
            kind, start = key.window.kind, key.window.start
            self._shown_from[kind] = max(start, self._shown_from.get(kind, start))
        return [each for each in figures if each[0].window.start == self._shown_from[each[0].window.kind]]


class WhatIfMetrics:
    """Questions about packs that do not hold, by what came of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.answers = Counter(
            "firenet_what_ifs", "Questions what a pack would have said, by what came of them.", ["outcome"],
            registry=registry,
        )  # fmt: skip
        for outcome in ("done", "lost", "unavailable", *Unanswered):
            self.answers.labels(outcome)
