"""What the registry's service counts."""

from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.registry.domain.copies import Shortcoming
from services.registry.domain.errors import AdjustmentRefusal

ACTIONS = ("request", "approve", "reject", "withdraw", "end", "score")
OUTCOMES = ("ok", "unavailable", *AdjustmentRefusal)
PROPOSAL_ACTIONS = ("preview", "check", "request", "approve", "reject", "withdraw")
PROPOSAL_OUTCOMES = (*OUTCOMES, "faulty")


class RegistryMetrics:
    """Every label is there from the start, so that nothing is mistaken for something that never happens."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.adjustments = Counter(
            "firenet_registry_adjustments_total",
            "Requests and decisions about adjustments (time to be counted otherwise), by what became of them.",
            ["action", "outcome"],
            registry=registry,
        )
        self.unpublished = Gauge(
            "firenet_registry_adjustments_unpublished",
            "Approved adjustments that Kafka has not taken yet: figures and supervision do not follow them so long.",
            registry=registry,
        )
        self.topics_short = Gauge(
            "firenet_registry_topics_short",
            "Topics of Kafka that are kept less safely than they were set to be, by what is short.",
            ["shortcoming"],
            registry=registry,
        )
        for shortcoming in Shortcoming:
            self.topics_short.labels(str(shortcoming))
        self.proposals = Counter(
            "firenet_registry_proposals_total",
            "Files and forms for the register that were tried, handed in and decided about, by what became of them.",
            ["action", "outcome"],
            registry=registry,
        )
        for action, outcome in product(PROPOSAL_ACTIONS, PROPOSAL_OUTCOMES):
            self.proposals.labels(action, str(outcome))
        for action in ACTIONS:
            for outcome in OUTCOMES:
                self.adjustments.labels(action, str(outcome))
