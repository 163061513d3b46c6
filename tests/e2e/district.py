"""A running district for end-to-end tests: what happens to its units, and what the system knows of it then."""

from collections import Counter
from typing import Any

from tests.system import System, message, wait_for

GATEWAY = "SELECT min(id) FROM registry.in_force WHERE kind = 'gateway' AND body ->> 'unit_id' = %s"
NOTICES = """SELECT count(*) FROM alerts.notices n JOIN alerts.cases c USING (case_id)
    WHERE c.unit_id = %s AND c.kind = %s AND n.state = 'accepted'"""
WAITING = """SELECT count(*) FROM alerts.notices
    WHERE state IN ('pending', 'sending') AND reason IS DISTINCT FROM 'grouped'"""
FACTS = """SELECT transition_id, unit_id, aspect, from_state, to_state, effective_at, detected_at, cause,
    evidence_topic, evidence_partition, evidence_offset FROM rules.transitions WHERE unit_id = ANY(%s) ORDER BY 1"""
CASES = (
    "SELECT case_id, unit_id, kind, finding_id FROM alerts.cases WHERE unit_id = ANY(%s) AND kind = ANY(%s) ORDER BY 1"
)
NUMBERS = """SELECT document_id, unit_id, issuer, mark, year, serial, issued_at FROM documents.documents
    WHERE serial IS NOT NULL ORDER BY issuer, mark, year, serial"""
KINDS = ["fire", "fault"]


class District:
    """Units that say what happened to them, and what the system knows of it."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.seq: Counter[str] = Counter()
        self.told: list[str] = []

    def happens(self, *stories: tuple[str, str]) -> None:
        """Say what happens to which unit, and return once somebody was told; of a fault, once a document has a number.

        Ladders run on meanwhile: there may be more documents at any time.
        """
        for kind, unit in stories:
            gateway = self.system.value(GATEWAY, unit)
            self.seq[gateway] += 1
            lane = "alarm/json" if kind == "fire" else "up/json"
            self.system.publish(gateway, message(kind, self.seq[gateway], point={"address": "12"}), lane)
        for kind, unit in stories:
            self._await(kind, unit)
            self.told.append(unit)

    def _await(self, kind: str, unit: str) -> None:
        wait_for(f"{kind} of {unit} told", lambda: self.system.value(NOTICES, unit, kind) > 0)
        if kind == "fault":
            wait_for(f"document of {unit}", lambda: unit in {row[1] for row in self.numbers()})

    def settle(self) -> None:
        """Return once all that was to be sent by now is sent; what waits for a common mail may wait."""
        wait_for("nothing on its way", lambda: self.system.value(WAITING) == 0)

    def without_gap(self) -> bool:
        """Tell whether each series has its numbers from 1 on, each once."""
        series: dict[tuple[Any, ...], list[int]] = {}
        for _, _, issuer, mark, year, serial, _ in self.numbers():
            series.setdefault((issuer, mark, year), []).append(serial)
        return all(sorted(found) == list(range(1, len(found) + 1)) for found in series.values())

    def facts(self) -> list[tuple[Any, ...]]:
        return self.system.rows(FACTS, self.told)

    def cases(self) -> list[tuple[Any, ...]]:
        return self.system.rows(CASES, self.told, KINDS)

    def numbers(self) -> list[tuple[Any, ...]]:
        return self.system.rows(NUMBERS)

    def heard(self) -> Counter[str]:
        """Return how often the centre heard each notice."""
        return Counter(one.id for one in self.system.heard)
