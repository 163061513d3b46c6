"""Everything that documents counts. Closed label sets are created at zero; no unit or addressee is ever a label."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.documents.domain.catalogue import CATALOGUE
from services.documents.domain.mails import MailSort
from services.documents.domain.reasons import FilesMissing, FormRule, RefusedBecause
from services.kernel.words import DocumentEvent

_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 600.0)


class DocumentsMetrics:
    """One instance per process, on its own registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.issued = Counter(
            "firenet_documents_issued_total",
            "Documents issued and drafts made, by kind",
            ["instrument"],
            registry=registry,
        )
        self.duplicates = Counter(
            "firenet_documents_duplicates_total",
            "Requests whose document was there already: no second one was made",
            registry=registry,
        )
        self.numbers_told = Counter(
            "firenet_documents_numbers_told_total",
            "Numbers found on documents that the database does not have, at the start: it was put back to earlier",
            registry=registry,
        )
        self.refused = Counter(
            "firenet_documents_refused_total",
            "Requests that no document could be made of; no number was used",
            ["reason"],
            registry=registry,
        )
        self.form_breaches = Counter(
            "firenet_documents_form_breaches_total",
            "Rules of the form that finished documents broke: none of these was issued",
            ["rule"],
            registry=registry,
        )
        self.without_files = Counter(
            "firenet_documents_without_files_total",
            "Documents issued as text and page only, without a PDF",
            ["reason"],
            registry=registry,
        )
        self.published = Counter(
            "firenet_documents_published_total", "Documents put on firenet.documents.v1", registry=registry
        )
        self.age = Histogram(
            "firenet_documents_age_seconds",
            "From the request to the document on firenet.documents.v1",
            buckets=_BUCKETS,
            registry=registry,
        )
        self.changes = Counter(
            "firenet_documents_changes_total",
            "What became of documents: signatures, replies, appeals, decisions",
            ["what"],
            registry=registry,
        )
        self.links = Counter(
            "firenet_documents_links_total",
            "Signed links that were followed, and those that open nothing: altered, over or taken back",
            ["outcome"],
            registry=registry,
        )
        self.mails = Counter(
            "firenet_documents_mails_total",
            "Mails taken in from the mailbox for answers, by what they are",
            ["sort"],
            registry=registry,
        )
        for sort in (*MailSort, "duplicate"):
            self.mails.labels(sort)
        self.mailbox_up = Gauge(
            "firenet_documents_mailbox_up",
            "1 when the last look into the mailbox for answers ended well",
            registry=registry,
        )
        self.turns = Counter("firenet_documents_turns_total", "Turns of each task", ["task"], registry=registry)
        for instrument in CATALOGUE:
            self.issued.labels(instrument)
        for what in DocumentEvent:
            self.changes.labels(what)
        for outcome in ("opened", "refused"):
            self.links.labels(outcome)
        for reason in RefusedBecause:
            self.refused.labels(reason)
        for rule in FormRule:
            self.form_breaches.labels(rule)
        for missing in FilesMissing:
            self.without_files.labels(missing)
