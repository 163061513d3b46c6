"""What compliance exports."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.compliance.ports import Trouble


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
            "Records with a time before that of their forerunner, which they were given.",
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
